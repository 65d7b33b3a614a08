"""Who takes part in simulated traffic: senders, mailbox providers, readers and machines.

Shares and texts are in the range of what senders see; nothing is ever sent to anybody, and the
addresses are numbered, not people's.
"""

from dataclasses import dataclass, replace

SIMULATOR_DOMAIN = "simulator.amazonses.com"


@dataclass(frozen=True, slots=True)
class Stream:
    """Mail of one kind from one sender: a configuration set, or an identity without one.

    Attributes:
        configuration_set: None where only identity notifications tell of the mail.
        weight: share of all messages.
        identity_copy_share: of its bounces and complaints, how many also come as identity
            notification, both features being on.
        identity_only_share: of its bounces, how many come as identity notification alone.
        crowd_share: of its messages, how many go to several recipients.
        hard_share: of delivery attempts; soft ones and suppressions are in proportion.
        reader_share: of delivered messages, how many a person opens.
    """

    configuration_set: str | None
    account: str
    region: str
    domain: str
    sender: str
    weight: float
    subjects: tuple[str, ...]
    campaigns: tuple[str, ...]
    template: str | None = None
    contact_list: str | None = None
    identity_copy_share: float = 0.0
    identity_only_share: float = 0.0
    crowd_share: float = 0.0
    hard_share: float = 0.01
    complaint_share: float = 0.001
    reader_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Provider:
    """A mailbox provider: how much mail it takes, how fast, and what its servers say.

    Attributes:
        hard_factor: of the stream's bounce share.
        median_ms: from the send to the server's 250.
        has_feedback_loop: whether complaints come back; Gmail's don't
            (docs.aws.amazon.com/ses/latest/dg/faqs-enforcement.html).
        soft: bounce sub-type, status and text of a soft bounce.
        delay: delay type, status and text of a delay.
    """

    domain: str
    weight: float
    hard_factor: float
    delay_share: float
    median_ms: int
    has_feedback_loop: bool
    server: str
    server_ip: str
    accepted: str
    hard: tuple[str, str]
    soft: tuple[str, str, str]
    delay: tuple[str, str, str]


_US, _EU = "us-east-1", "eu-west-1"
_SHOP, _PRESS = "111122223333", "444455556666"

STREAMS = (
    Stream(
        "transactional", _SHOP, _US, "shop.example.com", "Example Shop <orders@shop.example.com>",
        weight=0.36,
        subjects=("Your order {n}", "Your receipt for order {n}", "Reset your password"),
        campaigns=("order-confirmation", "receipt", "password-reset"),
        identity_copy_share=0.3, identity_only_share=0.1, crowd_share=0.05,
        hard_share=0.006, complaint_share=0.0006, reader_share=0.6,
    ),
    Stream(
        "newsletter", _SHOP, _US, "news.example.com", "Example News <news@news.example.com>",
        weight=0.34,
        subjects=("This week at Example", "Ten things worth reading"),
        campaigns=("weekly-45", "weekly-46", "weekly-47"),
        contact_list="readers", hard_share=0.014, complaint_share=0.003, reader_share=0.3,
    ),
    Stream(
        "marketing", _PRESS, _EU, "offers.example.net", "offers@offers.example.net",
        weight=0.18,
        subjects=("Only until Sunday", "{n} reasons to come back"),
        campaigns=("black-friday", "win-back", "spring"),
        template="Offer", contact_list="customers",
        hard_share=0.032, complaint_share=0.006, reader_share=0.2,
    ),
    # The same name in another account and region is another configuration set.
    Stream(
        "transactional", _PRESS, _EU, "account.example.net", "account@account.example.net",
        weight=0.07,
        subjects=("Your sign-in code", "Your invoice {n}"),
        campaigns=("sign-in", "invoice"),
        template="Invoice", hard_share=0.008, complaint_share=0.0006, reader_share=0.6,
    ),
    Stream(
        None, _SHOP, _US, "legacy.example.org", "noreply@legacy.example.org",
        weight=0.05, subjects=("Report {n}",), campaigns=("report",),
        crowd_share=0.1, hard_share=0.02, complaint_share=0.002,
    ),
)  # fmt: skip

# What Firehose takes: event publishing alone, and no mail without a configuration set.
PUBLISHED_STREAMS = tuple(
    replace(stream, identity_copy_share=0.0, identity_only_share=0.0)
    for stream in STREAMS
    if stream.configuration_set
)

_GMAIL_UNKNOWN = (
    "smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
    "550-5.1.1 double-checking the recipient's email address for typos or\n"
    "550-5.1.1 unnecessary spaces. For more information, go to\n"
    "550 5.1.1  https://support.google.com/mail/?p=NoSuchUser a1-20020a05.123 - gsmtp"
)

PROVIDERS = (
    Provider(
        "gmail.com", 0.44, 0.7, 0.012, 620, False,
        "gmail-smtp-in.l.google.com", "142.250.27.26", "250 2.0.0 OK  1763800000 a1.123 - gsmtp",
        ("5.1.1", _GMAIL_UNKNOWN),
        ("MailboxFull", "4.2.2", "smtp; 452-4.2.2 The recipient's inbox is out of storage space."),
        ("SpamDetected", "4.7.28", "smtp; 421-4.7.28 Gmail has detected an unusual rate of mail."),
    ),
    Provider(
        "yahoo.com", 0.12, 1.4, 0.03, 1_450, True,
        "mta7.am0.yahoodns.net", "67.195.204.77", "250 ok dirdel",
        ("5.0.0", "smtp; 554 delivery error: dd This user doesn't have a yahoo.com account"),
        ("General", "4.7.0", "smtp; 421 4.7.0 [TSS04] Messages temporarily deferred"),
        ("IPFailure", "4.7.0", "smtp; 421 4.7.0 [TSS04] Messages temporarily deferred"),
    ),
    Provider(
        "outlook.com", 0.13, 1.0, 0.015, 1_100, True,
        "outlook-com.olc.protection.outlook.com", "52.101.73.6",
        "250 2.6.0 <message@email.amazonses.com> Queued mail for delivery",
        ("5.5.0", "smtp; 550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)."),
        ("ContentRejected", "5.7.1", "smtp; 550 5.7.1 Message contains content that is blocked"),
        ("General", "4.7.650", "smtp; 451 4.7.650 The mail server has been temporarily limited"),
    ),
    Provider(
        "hotmail.com", 0.06, 1.6, 0.015, 1_150, True,
        "hotmail-com.olc.protection.outlook.com", "52.101.8.42",
        "250 2.6.0 <message@email.amazonses.com> Queued mail for delivery",
        ("5.5.0", "smtp; 550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)."),
        ("MailboxFull", "5.2.2", "smtp; 552 5.2.2 Mailbox full"),
        ("General", "4.7.650", "smtp; 451 4.7.650 The mail server has been temporarily limited"),
    ),
    Provider(
        "icloud.com", 0.08, 0.8, 0.01, 900, True,
        "mx01.mail.icloud.com", "17.57.154.33", "250 2.0.0 Ok: queued as 1A2B3C4D5E",
        ("5.1.1", "smtp; 550 5.1.1 <user>: user does not exist"),
        ("MailboxFull", "5.2.2", "smtp; 552 5.2.2 <user>: user is over quota"),
        ("MailboxFull", "4.2.2", "smtp; 452 4.2.2 user is over quota"),
    ),
    Provider(
        "gmx.de", 0.05, 0.9, 0.04, 2_300, False,
        "mx00.emig.gmx.net", "212.227.15.9", "250 Requested mail action okay, completed",
        ("5.1.1", "smtp; 550 Requested action not taken: mailbox unavailable"),
        ("AttachmentRejected", "5.6.1", "smtp; 554 5.6.1 Attachment type not accepted"),
        ("TransientCommunicationFailure", "4.4.1", "smtp; 421 4.4.1 Unable to connect"),
    ),
    Provider(
        "orange.fr", 0.03, 1.8, 0.06, 3_100, True,
        "smtp-in.orange.fr", "80.12.26.32", "250 2.0.0 mail accepted for delivery",
        ("5.1.1", "smtp; 550 5.1.1 Adresse d au moins un destinataire invalide. OFR_416 [416]"),
        ("General", "5.2.0", "smtp; 550 5.2.0 Mail rejete. Mail rejected. OFR_506 [506]"),
        ("RecipientServerError", "4.3.2", "smtp; 421 4.3.2 Service not available. OFR_004_104"),
    ),
)  # fmt: skip

# What no provider map knows: firms with servers of their own.
FIRMS = Provider(
    "example", 0.09, 2.0, 0.05, 2_600, False,
    "mx.firm.example", "198.51.100.25", "250 2.0.0 Ok: queued as 4F6Rkz2vQ1z9rxw",
    ("5.4.4", "smtp; 550 5.4.4 Invalid domain"),
    ("MessageTooLarge", "5.3.4", "smtp; 552 5.3.4 Message size exceeds fixed limit"),
    ("TransientCommunicationFailure", "4.4.1", "smtp; 421 4.4.1 Unable to connect to remote host"),
)  # fmt: skip
FIRM_COUNT = 60

_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_CHROMIUM = "AppleWebKit/537.36 (KHTML, like Gecko)"
PEOPLE_AGENTS = (
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {_WEBKIT} Mobile/15E148",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Version/18.5 Safari/605.1.15",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROMIUM} Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Thunderbird/128.10.0",
)
# Fetched for the reader by Gmail's servers when a person opens, and by the same agent seconds after
# sending, read or not.
IMAGE_PROXY_AGENT = (
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
)
IMAGE_PROXY_IP = "66.249.84.{}"
# Apple Mail Privacy Protection fetches every picture and says no more than this.
PRIVACY_AGENT = "Mozilla/5.0"
# A scanner that calls itself a browser; Amazon SES tells it by `isBotEvent` alone.
SCANNER_AGENT = f"Mozilla/5.0 (Windows NT 10.0) {_CHROMIUM} Chrome/138.0.0.0 Edg/138.0.0.0"

LINKS = (
    "https://www.example.com/today",
    "https://www.example.com/offers?from=mail",
    "https://www.example.com/account",
)
