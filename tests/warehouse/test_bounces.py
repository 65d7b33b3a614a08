"""What a bounce is about: each rule by an answer that a receiver could give."""

import re
from collections.abc import Mapping

import pyarrow as pa
import pytest

from consumer.resources import sql_folder
from consumer.warehouse.rules.bounces import SAID, SUPPRESSIONS, Bounces
from consumer.warehouse.rules.files import RuleFiles, read_rules
from consumer.warehouse.rules.rows import BounceRule

SCHEMA = pa.schema(
    [("event_type", pa.string())]
    + [(name, pa.bool_() if name == "is_auto_reply" else pa.string()) for name in SAID]
)


def judge(bounces: Bounces, *rows: Mapping[str, object]) -> list[tuple[str | None, str | None]]:
    table = pa.Table.from_pylist([{"event_type": "Bounce", **row} for row in rows], SCHEMA)
    judged = bounces.judge(table)
    return list(
        zip(judged["bounce_class"].to_pylist(), judged["bounce_rule"].to_pylist(), strict=True)
    )


@pytest.fixture(scope="module")
def bounces() -> Bounces:
    return Bounces(read_rules(sql_folder() / "seeds", RuleFiles()).bounce_rules)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550 5.7.1 Service unavailable; client listed at spamhaus", "reputation"),
        ("550 5.7.26 This mail is unauthenticated: SPF did not pass", "authentication"),
        ("550 5.7.25 The sending address has no PTR record", "authentication"),
        ("421 4.7.28 too many messages from your address", "rate_limited"),
        ("450 4.2.0 Greylisted, come back in five minutes", "rate_limited"),
        ("554 5.7.1 your IP has been blocked", "reputation"),
        ("550 5.7.64 Relay access denied", "policy"),
        ("452 4.2.2 The account is over quota", "mailbox_full"),
        ("552 mailbox full", "mailbox_full"),
        ("550 5.2.1 The mailbox is disabled", "inactive_recipient"),
        ("550 5.1.1 <ann@example.com>: user unknown", "invalid_recipient"),
        ("550 5.4.1 Recipient address rejected: Access denied", "invalid_recipient"),
        ("550-5.1.1 no such user here\r\n550 5.1.1 sorry", "invalid_recipient"),
        ("550 Requested action not taken", "invalid_recipient"),
        ("556 5.1.10 the domain has a null MX", "invalid_domain"),
        ("554 5.4.4 Host or domain name not found", "invalid_domain"),
        ("550 5.7.1 This looks like spam to us", "content"),
        ("554 5.6.0 virus found", "content"),
        ("552 5.7.0 this attachment is not taken here", "content"),
        ("552 5.3.4 message size exceeds limit", "too_large"),
        ("554 4.4.7 Message expired: unable to deliver in 840 minutes.", "expired"),
        (
            "554 4.4.7 Message expired: unable to deliver in 840 minutes.<452 4.2.2 over quota>",
            "mailbox_full",
        ),
        ("421 4.4.1 Unable to connect to remote host", "network"),
        ("454 4.7.5 certificate could not be verified", "network"),
        ("550 5.7.1 refused for reasons of policy", "policy"),
        ("451 4.3.0 local error in processing", "system"),
        ("554 5.0.0 hm", "undetermined"),
        ("", "undetermined"),
        (None, "undetermined"),
    ],
)
def test_a_receivers_answer_has_a_class(bounces: Bounces, text: str | None, expected: str) -> None:
    said = None if text is None else f"smtp; {text}"
    row = {"bounce_type": "Permanent", "bounce_sub_type": "General", "diagnostic_code": said}
    ((found, rule),) = judge(bounces, row)
    assert expected == found
    assert (rule is None) == (expected == "undetermined")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"bounce_sub_type": "OnAccountSuppressionList"}, ("suppressed", "ses_suppression")),
        ({"is_auto_reply": True}, ("auto_reply", "auto_reply_shape")),
        ({"bounce_sub_type": "NoEmail"}, ("invalid_recipient", "ses_no_email")),
        ({"bounce_sub_type": "MailboxFull"}, ("mailbox_full", "ses_mailbox_full")),
        ({"bounce_sub_type": "MessageTooLarge"}, ("too_large", "ses_message_too_large")),
        ({"bounce_sub_type": "AttachmentRejected"}, ("content", "ses_attachment_rejected")),
        ({"bounce_sub_type": "ContentRejected"}, ("content", "ses_content_rejected")),
        ({"bounce_sub_type": "CustomTimeoutExceeded"}, ("expired", "ses_timeout")),
    ],
)
def test_ses_own_words_have_classes(
    bounces: Bounces, row: dict[str, object], expected: tuple[str, str]
) -> None:
    assert [expected] == judge(bounces, {"bounce_type": "Transient", **row})


@pytest.mark.parametrize(
    ("pattern", "status", "text", "fits"),
    [
        ("X.1.1", "5.1.1", None, True),
        ("X.1.1", "4.1.1", None, True),
        ("5.1.1", "4.1.1", None, False),
        ("X.1.1", "5.1.10", None, False),
        ("X.7.X", "5.7.26", None, True),
        ("X.1.1", None, "smtp; 550 5.1.1 gone", True),
        ("X.1.1", "5.0.0", "smtp; 550 5.1.1 gone", True),
        ("X.1.1", "5.7.1", "smtp; 550 5.1.1 gone", False),
        ("X.1.1", None, "smtp; 550 from 192.5.1.1 refused", False),
        ("X.1.1", None, "smtp; 550 from 5.1.1.9 refused", False),
    ],
)
def test_a_status_is_ses_own_or_that_of_the_text(
    pattern: str, status: str | None, text: str | None, fits: bool
) -> None:
    rule = BounceRule.model_validate({"rule": "r", "class": "c", "status_pattern": pattern})
    row = {"status": status, "diagnostic_code": text}
    assert [("c", "r") if fits else ("undetermined", None)] == judge(Bounces([rule]), row)


def test_all_conditions_of_a_rule_must_hold_and_the_first_rule_judges() -> None:
    first = BounceRule.model_validate(
        {"rule": "one", "class": "a", "bounce_type": "Permanent", "diagnostic_pattern": "x"}
    )
    second = BounceRule.model_validate({"rule": "two", "class": "b", "diagnostic_pattern": "x"})
    rows = [
        {"bounce_type": "Permanent", "diagnostic_code": "x"},
        {"bounce_type": "Transient", "diagnostic_code": "x"},
        {"bounce_type": "Permanent", "diagnostic_code": "y"},
    ]
    expected = [("a", "one"), ("b", "two"), ("undetermined", None)]
    assert expected == judge(Bounces([first, second]), *rows)


def test_what_is_no_bounce_has_no_class(bounces: Bounces) -> None:
    row = {"event_type": "Delivery", "status": "5.1.1"}
    assert [(None, None)] == judge(bounces, row)


def test_a_text_without_end_takes_no_time_to_speak_of(bounces: Bounces) -> None:
    row = {"diagnostic_code": "smtp; 550 " + "message mail user account " * 40_000}
    assert [("undetermined", None)] == judge(bounces, row)


def test_more_bounces_than_are_remembered_are_judged_all_the_same(
    bounces: Bounces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.warehouse.rules.bounces._MOST_REMEMBERED", 2)
    rows = [{"diagnostic_code": f"user unknown {number}"} for number in range(5)]
    assert [("invalid_recipient", "unknown_user")] * 5 == judge(bounces, *rows)
    assert [("invalid_recipient", "unknown_user")] == judge(bounces, rows[0])


def test_what_ses_did_not_try_is_the_same_to_rules_and_to_figures() -> None:
    text = (sql_folder() / "views" / "00_classes.sql").read_text(encoding="utf-8")
    macro = text.split("macro is_suppression(sub_type)")[1].split(";")[0]
    assert set(SUPPRESSIONS) == set(re.findall(r"'(\w+)'", macro))
