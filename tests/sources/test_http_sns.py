"""An SNS subscription: what is signed for is taken, all else is refused and writes nothing.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from consumer.decode import decode
from consumer.decoded import Ignored
from consumer.errors import SourceUnavailable
from consumer.sources.http_certificates import Certificates, FolderFetcher, HttpsFetcher
from consumer.sources.http_refusal import Refusal
from consumer.sources.http_sns import MOST_BODY_BYTES, SnsOptions, SnsSource

if TYPE_CHECKING:
    from tests.sources.conftest import Acker, Serve, SnsSigner

Acking = Callable[[SnsSource], "Acker"]
Message = dict[str, str]
Change = Callable[[Message, "SnsSigner"], Message]
NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
SECRET = "a-secret-of-some-length"
EVENT = json.dumps(
    {
        "eventType": "Send",
        "mail": {
            "timestamp": "2026-11-22T11:59:00.000Z",
            "source": "news@example.com",
            "sendingAccountId": "111122223333",
            "messageId": "message-1",
            "destination": ["reader@example.net"],
            "tags": {"ses:configuration-set": ["news"]},
        },
        "send": {},
    }
)


@dataclass
class Net:
    """The way out: answers by script, and who was asked."""

    certificate: bytes
    status: int = 200
    asked: list[str] = field(default_factory=list)
    is_down: bool = False

    def __call__(self, url: str) -> tuple[int, bytes]:
        self.asked.append(url)
        if self.is_down:
            raise SourceUnavailable("nobody answers")
        return self.status, self.certificate


def make_source(signer: "SnsSigner", net: Net | None = None, **options: object) -> SnsSource:
    chosen: dict[str, object] = {"path": "/sns", "topics": frozenset({signer.topic}), **options}
    return SnsSource(
        SnsOptions(**chosen),  # type: ignore[arg-type]  # by keyword, as settings would
        fetch_certificate=signer.fetch,
        fetch=net or Net(signer.certificate),
        wall_clock=lambda: NOW,
    )


def to_body(message: object) -> bytes:
    return json.dumps(message, indent=2).encode()


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [None, "Amazon SES Email Event Notification", ""])
def test_a_signed_message_is_taken_and_answered_after_the_ack(
    serve: "Serve", acking: Acking, sns_signer: "SnsSigner", version: str, subject: str | None
) -> None:
    source = make_source(sns_signer)
    sender = serve(source)
    worker = acking(source)
    message = sns_signer.notify(EVENT + "\n", version=version, subject=subject)
    assert 200 == sender.post("/sns", to_body(message)).status
    (envelope,) = worker.taken
    assert ("sns:/sns", "eu-west-1") == (envelope.origin, envelope.region)
    (found,) = decode(envelope)
    assert [json.loads(EVENT)["mail"]["messageId"]] == [
        event["mail"]["messageId"] for event in found.events
    ]


def test_lambdas_spelling_of_the_same_message_is_as_good(
    serve: "Serve", acking: Acking, sns_signer: "SnsSigner"
) -> None:
    source = make_source(sns_signer)
    sender = serve(source)
    acking(source)
    message: dict[str, object] = dict(sns_signer.notify(EVENT))
    message["SigningCertUrl"] = message.pop("SigningCertURL")
    message["Subject"] = None
    assert 200 == sender.post("/sns", to_body(message)).status


def test_the_same_message_twice_is_taken_twice_for_dedup_to_see(
    serve: "Serve", acking: Acking, sns_signer: "SnsSigner"
) -> None:
    source = make_source(sns_signer)
    sender = serve(source)
    worker = acking(source)
    body = to_body(sns_signer.notify(EVENT))
    assert [200, 200] == [sender.post("/sns", body).status for _ in range(2)]
    first, second = worker.bodies()
    assert first == second


# --- forgeries ---------------------------------------------------------------------------------


def _flip_first_bit(message: Message) -> Message:
    raw = bytearray(base64.b64decode(message["Signature"]))
    raw[0] ^= 0x80
    return {**message, "Signature": base64.b64encode(raw).decode()}


def _sign_text(message: Message, signer: "SnsSigner", text: str) -> Message:
    signature = signer.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return {**message, "Signature": base64.b64encode(signature).decode()}


def _write_text(message: Message, keys: list[str], ending: str = "\n") -> str:
    return "".join(f"{key}\n{message[key]}\n" for key in keys).removesuffix("\n") + ending


_OTHER_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
SIGNED = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
MUTATIONS: dict[str, Change] = {
    "another message": lambda m, _: {**m, "Message": m["Message"] + " "},
    "an empty message": lambda m, _: {**m, "Message": ""},
    "another message id": lambda m, _: {**m, "MessageId": "other"},
    "another subject": lambda m, _: {**m, "Subject": "other"},
    "an empty subject": lambda m, _: {**m, "Subject": ""},
    "no subject": lambda m, _: {k: v for k, v in m.items() if k != "Subject"},
    "another time": lambda m, _: {**m, "Timestamp": "2026-11-22T12:00:00.001Z"},
    "the same time written otherwise": lambda m, _: {**m, "Timestamp": "2026-11-22T12:00:00Z"},
    "no time": lambda m, _: {k: v for k, v in m.items() if k != "Timestamp"},
    "a time that is none": lambda m, _: {**m, "Timestamp": "yesterday"},
    "another topic of ours": lambda m, _: {**m, "TopicArn": m["TopicArn"] + "-2"},
    "another topic, well signed": lambda m, s: replace(s, topic=s.topic + "-x").notify(EVENT),
    "no topic": lambda m, _: {k: v for k, v in m.items() if k != "TopicArn"},
    "another type": lambda m, _: {**m, "Type": "UnsubscribeConfirmation"},
    "a type in lower case": lambda m, _: {**m, "Type": "notification"},
    "no type": lambda m, _: {k: v for k, v in m.items() if k != "Type"},
    "no message": lambda m, _: {k: v for k, v in m.items() if k != "Message"},
    "no message id": lambda m, _: {k: v for k, v in m.items() if k != "MessageId"},
    "no signature": lambda m, _: {k: v for k, v in m.items() if k != "Signature"},
    "an empty signature": lambda m, _: {**m, "Signature": ""},
    "a signature cut off": lambda m, _: {**m, "Signature": m["Signature"][:-8]},
    "a signature that is no base64": lambda m, _: {**m, "Signature": "!" + m["Signature"]},
    "a bit of the signature": lambda m, _: _flip_first_bit(m),
    "version 1 said of SHA-256": lambda m, _: {**m, "SignatureVersion": "1"},
    "version 2 said of SHA-1": lambda m, s: {
        **s.notify(EVENT, version="1"),
        "SignatureVersion": "2",
    },
    "version 3": lambda m, _: {**m, "SignatureVersion": "3"},
    "a number as version": lambda m, _: {**m, "SignatureVersion": 2},  # type: ignore[dict-item]  # what JSON can say
    "no version": lambda m, _: {k: v for k, v in m.items() if k != "SignatureVersion"},
    "signed in another order": lambda m, s: _sign_text(m, s, _write_text(m, SIGNED[::-1])),
    "signed without the subject": lambda m, s: _sign_text(
        m, s, _write_text(m, [key for key in SIGNED if key != "Subject"])
    ),
    "signed without the last newline": lambda m, s: _sign_text(m, s, _write_text(m, SIGNED, "")),
    "signed with a newline too many": lambda m, s: _sign_text(m, s, _write_text(m, SIGNED, "\n\n")),
    "signed by another key": lambda m, s: replace(s, key=_OTHER_KEY).notify(EVENT),
    "fields shifted across a newline": lambda m, _: {
        **m,
        "Message": m["Message"] + "\nMessageId\n" + m["MessageId"],
    },
    "a certificate that is gone": lambda m, _: {
        k: v for k, v in m.items() if k != "SigningCertURL"
    },
    "a message that is an object": lambda m, _: {**m, "Message": json.loads(EVENT)},
}


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_message_with_anything_changed_is_refused_and_writes_nothing(
    serve: "Serve", acking: Acking, sns_signer: "SnsSigner", what: str
) -> None:
    source = make_source(sns_signer)
    sender = serve(source)
    worker = acking(source)
    good = sns_signer.notify(EVENT, subject="A subject")
    assert 403 == sender.post("/sns", to_body(MUTATIONS[what](good, sns_signer))).status
    assert not worker.taken
    assert [403] == [status for status, _ in source.count_answers()]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 200_000])
def test_what_is_no_json_is_refused(serve: "Serve", sns_signer: "SnsSigner", body: bytes) -> None:
    assert 400 == serve(make_source(sns_signer)).post("/sns", body).status


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", EVENT.encode()])
def test_what_nobody_signed_is_refused(
    serve: "Serve", sns_signer: "SnsSigner", body: bytes
) -> None:
    assert 403 == serve(make_source(sns_signer)).post("/sns", body).status


def test_a_body_larger_than_any_message_is_refused(serve: "Serve", sns_signer: "SnsSigner") -> None:
    sender = serve(make_source(sns_signer))
    assert 413 == sender.post("/sns", b" " * (MOST_BODY_BYTES + 1)).status


def test_fields_beside_the_signed_ones_are_not_passed_on(
    serve: "Serve", acking: Acking, sns_signer: "SnsSigner"
) -> None:
    source = make_source(sns_signer)
    sender = serve(source)
    worker = acking(source)
    event = json.loads(EVENT)
    event["mail"]["messageId"] = "forged"
    # Nobody signs these; read first, they would be an event of their own.
    message = {**event, **sns_signer.notify(EVENT), "detail-type": "x", "Records": []}
    assert 200 == sender.post("/sns", to_body(message)).status
    (envelope,) = worker.taken
    assert isinstance(envelope.body, bytes)
    assert b"forged" not in envelope.body
    (found,) = decode(envelope)
    assert ["message-1"] == [event["mail"]["messageId"] for event in found.events]


# --- certificates ------------------------------------------------------------------------------

GOOD_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem"


@pytest.mark.parametrize(
    "url",
    [
        GOOD_URL,
        "https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0123abcd.pem",
    ],
)
def test_a_certificate_is_fetched_from_sns_and_once(sns_signer: "SnsSigner", url: str) -> None:
    net = Net(sns_signer.certificate)
    certificates = Certificates(net)
    assert certificates.find(url) == certificates.find(url)
    assert [url] == net.asked


@pytest.mark.parametrize(
    "url",
    [
        "",
        GOOD_URL.replace("https", "http"),
        GOOD_URL.replace("https://", "//"),
        GOOD_URL.replace("https", "file"),
        "https://s3.amazonaws.com/bucket/SimpleNotificationService-0123abcd.pem",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        "https://sns.s3.amazonaws.com/bucket/SimpleNotificationService-0123abcd.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0123abcd.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        "https://xsns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        "https://sns.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        "https://sns.a.b.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        "https://snsXeu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0123abcd.pem",
        "https://sns.eu-west-1.amazonaws.com:443/SimpleNotificationService-0123abcd.pem",
        "https://user@sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-0123abcd.pem",
        "https://evil.example#@sns.eu-west-1.amazonaws.com/SimpleNotificationService-01.pem",
        "https://sns.eu-west-1.amazonaws.com%2eevil.example/SimpleNotificationService-01.pem",
        "https://sns.eu-west-1.amazonaws.com\\.evil.example/SimpleNotificationService-01.pem",
        "https://sns.eu-west-1.amaz\u03bfnaws.com/SimpleNotificationService-0123abcd.pem",
        "https://sns.\uff45u-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        GOOD_URL + "?x=.pem",
        GOOD_URL + "#x.pem",
        GOOD_URL + "\n",
        " " + GOOD_URL,
        GOOD_URL.replace("SimpleNotificationService-", "x/../SimpleNotificationService-"),
        GOOD_URL.replace("0123abcd", ""),
        GOOD_URL.replace("0123abcd", "%2e%2e%2fx"),
        GOOD_URL.replace(".pem", ".pem.exe"),
        GOOD_URL.replace("SimpleNotificationService-0123abcd", "x"),
    ],
)
def test_a_certificate_from_anywhere_else_is_not_fetched(sns_signer: "SnsSigner", url: str) -> None:
    net = Net(sns_signer.certificate)
    with pytest.raises(Refusal) as refusal:
        Certificates(net).find(url)
    assert 403 == refusal.value.status
    assert [] == net.asked


@pytest.mark.parametrize(
    ("change", "status", "refused"),
    [
        (lambda pem: pem, 301, 403),
        (lambda pem: pem, 302, 403),
        (lambda pem: pem, 404, 403),
        (lambda pem: pem, 500, 503),
        (lambda pem: b"", 200, 403),
        (lambda pem: pem + pem, 200, 403),
        (lambda pem: b"x" + pem, 200, 403),
        (lambda pem: pem + b" " * 10_000_000, 200, 403),
        (lambda pem: pem.replace(b"M", b"N", 1), 200, 403),
        (lambda pem: pem.replace(b"CERTIFICATE", b"PRIVATE KEY"), 200, 403),
    ],
)
def test_what_is_not_one_certificate_of_snss_is_refused_and_not_kept(
    sns_signer: "SnsSigner", change: Callable[[bytes], bytes], status: int, refused: int
) -> None:
    net = Net(change(sns_signer.certificate), status)
    certificates = Certificates(net)
    with pytest.raises(Refusal) as refusal:
        certificates.find(GOOD_URL)
    assert refused == refusal.value.status
    net.certificate, net.status = sns_signer.certificate, 200
    assert 1 == certificates.find(GOOD_URL).serial_number


@pytest.mark.parametrize(
    "name", ["evil.example", "sns.amazonaws.com.evil.example", "s3.amazonaws.com"]
)
def test_a_certificate_made_out_to_somebody_else_is_refused(
    certify: Callable[..., bytes], name: str
) -> None:
    with pytest.raises(Refusal, match="made out to SNS"):
        Certificates(Net(certify(name=name))).find(GOOD_URL)


def test_the_certificates_memory_has_an_end(sns_signer: "SnsSigner") -> None:
    net = Net(sns_signer.certificate)
    certificates = Certificates(net)
    for number in range(100):
        certificates.find(GOOD_URL.replace("0123abcd", str(number)))
    assert certificates.find_known(GOOD_URL.replace("0123abcd", "0")) is None
    assert certificates.find_known(GOOD_URL.replace("0123abcd", "99")) is not None


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), 200),
        (datetime(2025, 11, 23, tzinfo=UTC), 200),  # valid at the message's time for hours yet
        (datetime(2025, 1, 1, tzinfo=UTC), 403),
        (datetime(2026, 12, 1, tzinfo=UTC), 403),
    ],
)
def test_a_certificate_is_judged_at_the_messages_own_time(  # noqa: PLR0917 - fixtures and cases
    serve: "Serve",
    acking: Acking,
    sns_signer: "SnsSigner",
    certify: Callable[..., bytes],
    start: datetime,
    status: int,
) -> None:
    source = make_source(replace(sns_signer, certificate=certify(start=start)))
    sender = serve(source)
    acking(source)
    assert status == sender.post("/sns", to_body(sns_signer.notify(EVENT))).status


def test_a_host_that_does_not_answer_is_no_fault_of_the_message(
    serve: "Serve",
    acking: Acking,
    sns_signer: "SnsSigner",
    capsys: pytest.CaptureFixture[str],
) -> None:
    net = Net(sns_signer.certificate, is_down=True)
    options = SnsOptions(path="/sns", topics=frozenset({sns_signer.topic}))
    source = SnsSource(options, fetch_certificate=net)
    sender = serve(source)
    acking(source)
    body = to_body(sns_signer.notify(EVENT))
    first, second = sender.post("/sns", body), sender.post("/sns", body)
    assert (503, "5", 503) == (first.status, first.headers["retry-after"], second.status)
    net.is_down = False
    assert 200 == sender.post("/sns", body).status
    assert {(503, "certificate_unreachable"): 2, (200, "committed"): 1} == source.count_answers()
    told = capsys.readouterr().out
    assert (1, 1) == (told.count("out of reach"), told.count("fetched again"))


def test_certificates_may_lie_in_a_folder(sns_signer: "SnsSigner", tmp_path: Path) -> None:
    (tmp_path / "SimpleNotificationService-0123abcd.pem").write_bytes(sns_signer.certificate)
    certificates = Certificates(FolderFetcher(tmp_path))
    assert 1 == certificates.find(GOOD_URL).serial_number
    with pytest.raises(Refusal, match="no such certificate"):
        certificates.find(GOOD_URL.replace("0123", "9999"))


def test_a_certificate_whose_key_is_of_another_kind_is_refused(
    serve: "Serve",
    sns_signer: "SnsSigner",
    certify: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Elliptic:
        not_valid_before_utc = NOW - timedelta(days=1)
        not_valid_after_utc = NOW + timedelta(days=1)

        def public_key(self) -> ec.EllipticCurvePublicKey:
            return ec.generate_private_key(ec.SECP256R1()).public_key()

    source = make_source(sns_signer)
    monkeypatch.setattr(source._certificates, "find_known", lambda url: Elliptic())
    assert 403 == serve(source).post("/sns", to_body(sns_signer.notify(EVENT))).status


def test_nothing_answering_is_told_as_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:1 does not answer"):
        HttpsFetcher()("https://127.0.0.1:1/x.pem")


# --- confirmations -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_subscription_is_confirmed_when_the_settings_say_so(
    serve: "Serve", acking: Acking, sns_signer: "SnsSigner", version: str
) -> None:
    net = Net(b"")
    source = make_source(sns_signer, net, confirms=True)
    sender = serve(source)
    worker = acking(source)
    message = sns_signer.ask("SubscriptionConfirmation", version=version)
    answer = sender.post("/sns", to_body(message))
    assert (200, b"") == (answer.status, answer.body)
    assert [message["SubscribeURL"]] == net.asked
    (body,) = worker.bodies()
    assert message["Token"].encode() not in body
    assert [Ignored.SUBSCRIPTION_CONFIRMATION] == next(decode(worker.taken[0])).ignored


def test_a_subscription_is_not_confirmed_unless_the_settings_say_so(
    serve: "Serve", sns_signer: "SnsSigner"
) -> None:
    net = Net(b"")
    sender = serve(make_source(sns_signer, net))
    answer = sender.post("/sns", to_body(sns_signer.ask("SubscriptionConfirmation")))
    assert 403 == answer.status
    assert b"confirm = true" in answer.body
    assert [] == net.asked


GOOD_QUERY = "?Action=ConfirmSubscription&TopicArn={topic}&Token=2336412f37fb687f5d51e6e2425"


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/" + GOOD_QUERY,
        "https://localhost/" + GOOD_QUERY,
        "https://169.254.169.254/" + GOOD_QUERY,
        "file:///etc/passwd",
        "http://sns.eu-west-1.amazonaws.com/" + GOOD_QUERY,
        "https://sns.eu-west-1.amazonaws.com.evil.example/" + GOOD_QUERY,
        "https://sns.eu-west-1.amazonaws.com:8443/" + GOOD_QUERY,
        "https://sns.eu-west-1.amazonaws.com@evil.example/" + GOOD_QUERY,
        "https://bucket.s3.amazonaws.com/" + GOOD_QUERY,
        "https://sns.eu-west-1.amazonaws.com/x" + GOOD_QUERY,
        "https://sns.eu-west-1.amazonaws.com/" + GOOD_QUERY + "#x",
        "https://sns.eu-west-1.amazonaws.com/" + GOOD_QUERY + "&Action=Publish",
        "https://sns.eu-west-1.amazonaws.com/" + GOOD_QUERY + "-other",
        "https://sns.eu-west-1.amazonaws.com/" + GOOD_QUERY.replace("{topic}", "{topic}-2"),
        "https://sns.eu-west-1.amazonaws.com/" + GOOD_QUERY.replace("ConfirmSub", "DeleteTop"),
        "https://sns.eu-west-1.amazonaws.com/" + GOOD_QUERY + "\nHost: evil.example",
        "https://sns.eu-west-1.amazonaws.com/",
        "",
    ],
)
def test_a_subscribe_url_that_leads_elsewhere_is_not_visited_however_well_signed(
    serve: "Serve", acking: Acking, sns_signer: "SnsSigner", url: str
) -> None:
    net = Net(b"")
    source = make_source(sns_signer, net, confirms=True)
    sender = serve(source)
    worker = acking(source)
    message = sns_signer.ask(
        "SubscriptionConfirmation", SubscribeURL=url.replace("{topic}", sns_signer.topic)
    )
    assert 403 == sender.post("/sns", to_body(message)).status
    assert [] == net.asked
    assert not worker.taken


@pytest.mark.parametrize("sent_at", ["2026-11-22T11:29:59.999Z", "2026-11-22T13:30:00.001Z"])
def test_an_old_request_to_confirm_is_refused(
    serve: "Serve", sns_signer: "SnsSigner", sent_at: str
) -> None:
    net = Net(b"")
    sender = serve(make_source(sns_signer, net, confirms=True))
    message = sns_signer.ask("SubscriptionConfirmation", Timestamp=sent_at)
    assert 403 == sender.post("/sns", to_body(message)).status
    assert [] == net.asked


@pytest.mark.parametrize("status", [301, 302, 403, 500])
def test_a_confirmation_that_fails_is_asked_for_again(
    serve: "Serve", sns_signer: "SnsSigner", status: int
) -> None:
    net = Net(b"echo", status)
    sender = serve(make_source(sns_signer, net, confirms=True))
    answer = sender.post("/sns", to_body(sns_signer.ask("SubscriptionConfirmation")))
    assert 503 == answer.status
    assert b"echo" not in answer.body
    assert 1 == len(net.asked)


@pytest.mark.parametrize("field_name", ["Token", "SubscribeURL", "Message", "TopicArn"])
def test_a_tampered_confirmation_is_refused(
    serve: "Serve", sns_signer: "SnsSigner", field_name: str
) -> None:
    net = Net(b"")
    sender = serve(make_source(sns_signer, net, confirms=True))
    message = sns_signer.ask("SubscriptionConfirmation")
    message[field_name] += "x"
    assert 403 == sender.post("/sns", to_body(message)).status
    assert [] == net.asked


def test_the_end_of_a_subscription_is_warned_of_and_counted(
    serve: "Serve",
    acking: Acking,
    sns_signer: "SnsSigner",
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = make_source(sns_signer)
    sender = serve(source)
    worker = acking(source)
    message = sns_signer.ask("UnsubscribeConfirmation")
    assert 200 == sender.post("/sns", to_body(message)).status
    assert [Ignored.UNSUBSCRIBE_CONFIRMATION] == next(decode(worker.taken[0])).ignored
    told = capsys.readouterr().out
    assert "warning" in told
    assert "topic no longer sends here" in told
    assert message["Token"] not in told


# --- raw delivery ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "secret", "topic", "status"),
    [
        (f"/sns/{SECRET}", SECRET, None, 200),
        ("/sns", SECRET, None, 403),
        ("/sns", None, None, 403),
        (f"/sns/{SECRET}", None, None, 404),
        (f"/sns/{SECRET}x", SECRET, None, 403),
        (f"/sns/{SECRET[:-1]}", SECRET, None, 403),
        ("/sns/", SECRET, None, 404),
        (f"/sns/{SECRET}", SECRET, "arn:aws:sns:eu-west-1:111122223333:other", 403),
        (f"/sns/{SECRET}", SECRET, "", 403),
    ],
)
def test_a_raw_message_is_taken_only_behind_the_secret_and_of_our_topics(  # noqa: PLR0917 - the same
    serve: "Serve",
    acking: Acking,
    sns_signer: "SnsSigner",
    path: str,
    secret: str | None,
    topic: str | None,
    status: int,
) -> None:
    source = make_source(sns_signer, raw_secret=secret)
    sender = serve(source)
    worker = acking(source)
    headers = {
        "x-amz-sns-rawdelivery": "true",
        "x-amz-sns-topic-arn": sns_signer.topic if topic is None else topic,
    }
    answer = sender.post(path, EVENT.encode(), headers)
    assert status == answer.status
    assert ([EVENT.encode()] if status == 200 else []) == worker.bodies()


def test_behind_the_secret_what_is_not_raw_must_be_signed_all_the_same(
    serve: "Serve", acking: Acking, sns_signer: "SnsSigner"
) -> None:
    source = make_source(sns_signer, raw_secret=SECRET)
    sender = serve(source)
    acking(source)
    assert 403 == sender.post(f"/sns/{SECRET}", EVENT.encode()).status
    assert 200 == sender.post(f"/sns/{SECRET}", to_body(sns_signer.notify(EVENT))).status


def test_no_refusal_shows_the_secret_or_what_was_sent(
    serve: "Serve", sns_signer: "SnsSigner", capsys: pytest.CaptureFixture[str]
) -> None:
    sender = serve(make_source(sns_signer, raw_secret=SECRET))
    answers = [
        sender.post("/sns/guess", EVENT.encode()),
        sender.post("/sns", EVENT.encode()),
        sender.post("/sns", to_body({**sns_signer.notify(EVENT), "Message": EVENT + "!"})),
    ]
    told = capsys.readouterr().out + "".join(answer.body.decode() for answer in answers)
    assert "request refused" in told
    assert SECRET not in told
    assert "reader@example.net" not in told
