"""Each rule of the seeds by an open or click that it is meant for, and readers it is not."""

from datetime import datetime, timedelta

import pyarrow as pa

from consumer.resources import sql_folder
from consumer.warehouse.rules.files import RuleFiles, read_rules
from consumer.warehouse.rules.machines import Machines

BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"
)
PREFETCH = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
)
SENT_AT = datetime(2026, 3, 2, 9, 30)  # noqa: DTZ001 - naive UTC, like the column

# What opens or clicks, when (seconds after sending), what SES says; and who we say it was.
ACTS = [
    ("Open", f"{BROWSER} (via ggpht.com GoogleImageProxy)", 900, None, "google_image_proxy"),
    (
        "Open",
        PREFETCH,
        900,
        None,
        "gmail_prefetch",
    ),
    ("Open", "YahooMailProxy; https://help.example/proxy", 900, None, "yahoo_image_proxy"),
    ("Open", "Mozilla/5.0", 900, None, "apple_privacy"),
    ("Click", "Barracuda Sentinel (EE)", 900, None, "barracuda"),
    ("Click", "Mimecast-Scan/2", 900, None, "mimecast"),
    ("Open", "Proofpoint URL Defense", 900, None, "proofpoint"),
    ("Click", "Bitdefender Mail Check", 900, None, "bitdefender"),
    ("Click", "MessageLabs scanner", 900, None, "symantec"),
    ("Click", "Trend Micro WTP", 900, None, "trendmicro"),
    ("Click", "FortiGuard/7", 900, None, "fortinet"),
    ("Click", "Sophos Email", 900, None, "sophos"),
    ("Click", "IronPort WSA", 900, None, "cisco"),
    ("Click", "SkypeUriPreview/0.5", 900, None, "microsoft_safelinks"),
    ("Click", "Cloudmark Authority", 900, None, "cloudmark"),
    ("Click", "VadeSecure/1", 900, None, "vade"),
    ("Click", "Zscaler Client", 900, None, "zscaler"),
    ("Click", "Palo Alto Networks probe", 900, None, "paloalto"),
    ("Click", "urlscan.example/1", 900, None, "urlscan"),
    ("Click", "Mozilla/5.0 (compatible; ExampleBot/2.1)", 900, None, "known_bot"),
    ("Click", f"{BROWSER} HeadlessChrome/140", 900, None, "headless_browser"),
    ("Click", "python-requests/2.34", 900, None, "http_library"),
    ("Click", "curl/8.9", 900, None, "http_library"),
    ("Click", None, 900, None, "no_user_agent"),
    ("Click", BROWSER, 3, None, "quick_click"),
    ("Open", BROWSER, 1, None, "quick_open"),
    ("Open", BROWSER, 900, "Likely", "ses_is_bot_event"),
    ("Open", "Mozilla/5.0", 900, "Unlikely", "apple_privacy"),
    ("Open", BROWSER, 900, "Unlikely", None),
    ("Open", BROWSER, 1.5, None, None),
    ("Click", BROWSER, 3.5, None, None),
    ("Open", None, 900, None, None),
    ("Click", "Mozilla/5.0", 900, None, None),
    ("Open", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) AppleWebKit/605 Mail/E148", 60, None, None),
    ("Open", "Microsoft Outlook 16.0.17928; Pro", 60, None, None),
    ("Open", "Thunderbird/140.0", 60, None, None),
]


def test_each_act_is_judged_by_the_rule_that_is_meant_for_it() -> None:
    acts = [
        {
            "event_type": kind,
            "event_at": SENT_AT + timedelta(seconds=after),
            "sent_at": SENT_AT,
            "ip": "192.0.2.1",
            "user_agent": agent,
            "is_bot_event": said,
        }
        for kind, agent, after, said, _ in ACTS
    ]
    machines = Machines(read_rules(sql_folder() / "seeds", RuleFiles()).machine_rules)
    found = machines.judge(pa.Table.from_pylist(acts)).to_pylist()
    assert [(kind, agent, rule) for kind, agent, _, _, rule in ACTS] == [
        (kind, agent, rule) for (kind, agent, *_), rule in zip(ACTS, found, strict=True)
    ]


def test_no_rule_of_the_seeds_is_without_an_example() -> None:
    rules = read_rules(sql_folder() / "seeds", RuleFiles()).machine_rules
    assert {rule.rule for rule in rules} == {rule for *_, rule in ACTS} - {
        None,
        "ses_is_bot_event",
    }
