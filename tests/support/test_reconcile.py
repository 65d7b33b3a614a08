"""Our daily figures beside AWS's own, as the documented answers bring them.

The answers have the shapes of these pages:
https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_BatchGetMetricData.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from consumer.door import server as door
from consumer.door.client import DoorClient
from consumer.errors import SourceDenied, SourceUnavailable
from consumer.reconciliation import Amazon, RegionReport, Span, reconcile_region
from consumer.reconciliation.scopes import CLOUDWATCH_METRICS, VDM_METRICS
from consumer.sources.aws import AwsAccess
from consumer.warehouse.reconciliations import Line
from consumer.warehouse.recovery.rebuild import rebuild

Desk = Any
NewLetter = Callable[..., Any]
Verb = Callable[..., Any]
Daily = Mapping[date, int]

ACCOUNT = "111122223333"
IDENTITY = {"Account": ACCOUNT, "UserId": "AIDA", "Arn": f"arn:aws:iam::{ACCOUNT}:user/duckpost"}
TODAY = datetime.now(UTC).date()
DAY = TODAY - timedelta(days=3)
SENT = datetime.combine(DAY, time(10), UTC)
SPAN = Span(DAY - timedelta(days=1), TODAY, TODAY)
HEALTHY = {
    "DedicatedIpAutoWarmupEnabled": True,
    "EnforcementStatus": "HEALTHY",
    "ProductionAccessEnabled": True,
    "SendQuota": {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 120.0},
    "SendingEnabled": True,
    "Details": {"ReviewDetails": {"Status": "GRANTED", "CaseId": "1"}},
    "VdmAttributes": {
        "VdmEnabled": "ENABLED",
        "DashboardAttributes": {"EngagementMetrics": "ENABLED"},
    },
}


class Answers:
    """AWS in one region that answers from a list, in order, and notes how long it made us wait."""

    def __init__(self, region: str = "eu-west-1") -> None:
        self.waits: list[float] = []
        self.amazon = Amazon(AwsAccess(), region, sleep=self.waits.append)
        self._stubs = {name: Stubber(caller.client) for name, caller in self.amazon.callers.items()}
        for stub in self._stubs.values():
            stub.activate()

    def add(self, service: str, operation: str, answer: Mapping[str, Any]) -> None:
        self._stubs[service].add_response(operation, dict(answer))

    def refuse(
        self, service: str, operation: str, code: str, *, status: int = 400, text: str = "no"
    ) -> None:
        self._stubs[service].add_client_error(operation, code, text, http_status_code=status)

    def known(self, account: Mapping[str, Any] = HEALTHY) -> "Answers":
        self.add("sts", "get_caller_identity", IDENTITY)
        self.add("sesv2", "get_account", account)
        return self

    def vdm(self, *scopes: Mapping[str, Daily]) -> "Answers":
        """Answer for each scope, in the order of asking, by metric; ten queries at a time."""
        series = [scope.get(metric.name) for scope in scopes for metric in VDM_METRICS]
        for start in range(0, len(series), 10):
            self.add(
                "sesv2", "batch_get_metric_data", {"Results": _to_results(series[start:][:10])}
            )
        return self

    def cloudwatch(self, listed: Sequence[str], *scopes: Mapping[str, Daily]) -> "Answers":
        metrics = [
            {
                "Namespace": "AWS/SES",
                "MetricName": "Send",
                "Dimensions": [{"Name": "ses:configuration-set", "Value": name}],
            }
            for name in listed
        ]
        self.add("cloudwatch", "list_metrics", {"Metrics": metrics})
        series = [scope.get(metric.name) for scope in scopes for metric in CLOUDWATCH_METRICS]
        self.add("cloudwatch", "get_metric_data", {"MetricDataResults": _to_results(series)})
        return self

    def finish(self) -> None:
        """Fail where something was not asked."""
        for stub in self._stubs.values():
            stub.assert_no_pending_responses()


def _to_results(series: Sequence[Daily | None]) -> list[dict[str, Any]]:
    return [
        {
            "Id": f"q{number}",
            "Timestamps": [datetime.combine(day, time(), UTC) for day in days or {}],
            "Values": list((days or {}).values()),
        }
        for number, days in enumerate(series)
    ]


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def answers() -> Answers:
    return Answers()


def reconcile(desk: Desk, answers: Answers, span: Span = SPAN) -> RegionReport:
    report = reconcile_region(desk.access, lambda: answers.amazon, answers.amazon.region, span)
    answers.finish()
    return report


def find(report: RegionReport, authority: str, metric: str, **scope: str) -> Line:
    [line] = [
        line
        for line in report.lines
        if (line.authority, line.metric) == (authority, metric)
        and line.configuration_set == scope.get("configuration_set")
        and line.provider == scope.get("provider")
    ]
    return line


@pytest.fixture
def mailed(desk: Desk, new_letter: NewLetter) -> Desk:
    """Two sends and deliveries of the set `newsletter`, one send with three recipients."""
    pair = [new_letter(message_id=f"m{number}", sent=SENT) for number in range(2)]
    several = new_letter(
        message_id="m3", sent=SENT, to=["a@example.com", "b@example.com", "c@example.com"]
    )
    desk.write(*(one.send() for one in (*pair, several)), *(one.delivery() for one in pair))
    return desk


def test_equal_figures_need_no_reason_and_are_kept(mailed: Desk, answers: Answers) -> None:
    answers.known().vdm({"SEND": {DAY: 2}, "DELIVERY": {DAY: 2}}, {"SEND": {DAY: 2}})
    answers.cloudwatch([], {"Send": {DAY: 5}}, {})

    report = reconcile(mailed, answers)

    assert (2, 2, ()) == _told(find(report, "vdm", "SEND"))
    assert (2, 2, ()) == _told(find(report, "vdm", "SEND", configuration_set="newsletter"))
    assert (5, 5, ()) == _told(find(report, "cloudwatch", "Send"))
    assert [{"authority": "cloudwatch", "ours": 5, "theirs": 5, "is_explained": True}] == (
        mailed.rows(
            "select authority, ours, theirs, is_explained from reconciliation where metric = 'Send'"
        )
    )


def _told(line: Line) -> tuple[int, int | None, tuple[str, ...]]:
    return line.ours, line.theirs, line.reasons


@pytest.mark.parametrize(
    ("theirs", "reasons"),
    [
        (2, ()),
        (5, ("multi_recipient",)),
        (3, ("simulator",)),
        (6, ("simulator", "multi_recipient")),
    ],
)
def test_what_vdms_rules_leave_out_explains_a_difference_that_it_makes_exactly(
    mailed: Desk, answers: Answers, new_letter: NewLetter, theirs: int, reasons: tuple[str, ...]
) -> None:
    simulated = new_letter(message_id="sim", sent=SENT, to=["success@simulator.amazonses.com"])
    mailed.write(simulated.send())
    answers.known().vdm({"SEND": {DAY: theirs}}, {}).cloudwatch([], {}, {})

    assert (2, theirs, reasons) == _told(find(reconcile(mailed, answers), "vdm", "SEND"))


def test_cloudwatch_that_counts_messages_is_told_from_one_that_lost_some(
    mailed: Desk, answers: Answers
) -> None:
    answers.known().vdm({}, {}).cloudwatch(["newsletter"], {"Send": {DAY: 3}}, {"Send": {DAY: 4}})

    report = reconcile(mailed, answers)

    assert (5, 3, ("further_recipients",)) == _told(find(report, "cloudwatch", "Send"))
    line = find(report, "cloudwatch", "Send", configuration_set="newsletter")
    assert (5, 4, ("unexplained",)) == _told(line)


def test_an_event_type_that_never_came_is_the_reason(mailed: Desk, answers: Answers) -> None:
    answers.known().vdm({"COMPLAINT": {DAY: 4}}, {"COMPLAINT": {DAY: 4}}).cloudwatch([], {}, {})

    report = reconcile(mailed, answers)

    line = find(report, "vdm", "COMPLAINT", configuration_set="newsletter")
    assert (0, 4, ("not_published",)) == _told(line)
    assert (0, 4, ("configuration_sets",)) == _told(find(report, "vdm", "COMPLAINT"))


def test_a_set_of_which_nothing_ever_came_has_no_event_destination(
    mailed: Desk, answers: Answers
) -> None:
    answers.known().vdm({}, {})
    answers.cloudwatch(["other"], {}, {"Send": {DAY: 5}}, {"Send": {DAY: 7}})

    line = find(reconcile(mailed, answers), "cloudwatch", "Send", configuration_set="other")
    assert (0, 7, ("no_event_destination",)) == _told(line)


def test_mail_without_a_set_accounts_for_what_the_sets_do_not(
    mailed: Desk, answers: Answers
) -> None:
    answers.known().vdm({"SEND": {DAY: 12}}, {"SEND": {DAY: 2}}).cloudwatch([], {}, {})

    line = find(reconcile(mailed, answers), "vdm", "SEND")
    assert (2, 12, ("without_configuration_set",)) == _told(line)


def test_the_last_two_days_may_still_be_arriving(
    desk: Desk, answers: Answers, new_letter: NewLetter
) -> None:
    desk.write(new_letter(sent=datetime.combine(TODAY, time(0, 0, 1), UTC)).send())
    answers.known().vdm({"SEND": {DAY: 0}}, {"SEND": {DAY: 0}}).cloudwatch([], {}, {})

    line = find(reconcile(desk, answers), "vdm", "SEND")
    assert (1, 0, ("still_arriving",)) == _told(line)


def test_days_that_vdm_has_no_more_are_said_to_be_too_old(
    desk: Desk, answers: Answers, new_letter: NewLetter
) -> None:
    desk.write(new_letter(sent=SENT - timedelta(days=70)).send())
    answers.known().vdm({}, {}).cloudwatch([], {"Send": {DAY - timedelta(days=70): 1}}, {})

    report = reconcile(desk, answers, Span(TODAY - timedelta(days=80), TODAY, TODAY))

    assert [("cloudwatch", 1, 1)] == [
        (line.authority, line.ours, line.theirs) for line in report.lines
    ]


def test_engagement_metrics_that_are_off_are_the_reason(
    desk: Desk, answers: Answers, new_letter: NewLetter
) -> None:
    letter = new_letter(sent=SENT)
    desk.write(letter.send(), letter.open())
    vdm = {"VdmEnabled": "ENABLED", "DashboardAttributes": {"EngagementMetrics": "DISABLED"}}
    answers.known({**HEALTHY, "VdmAttributes": vdm}).vdm({}, {}).cloudwatch([], {}, {})

    line = find(reconcile(desk, answers), "vdm", "OPEN")
    assert (1, None, ("engagement_metrics_off",)) == _told(line)


def test_large_providers_are_asked_by_name(
    desk: Desk, answers: Answers, new_letter: NewLetter
) -> None:
    desk.write(new_letter(sent=SENT, to=["ann@gmail.com"]).send())
    answers.known().vdm({"SEND": {DAY: 1}}, {"SEND": {DAY: 1}}, {"SEND": {DAY: 1}})
    answers.cloudwatch([], {}, {})

    [gmail] = [line for line in reconcile(desk, answers).lines if line.provider is not None]
    assert (1, 1, ()) == _told(gmail)


def test_asking_again_replaces_the_days_and_adds_no_line(mailed: Desk, answers: Answers) -> None:
    answers.known().vdm({"SEND": {DAY: 1}}, {"SEND": {DAY: 1}}).cloudwatch([], {}, {})
    reconcile(mailed, answers)
    again = Answers().known().vdm({"SEND": {DAY: 2}}, {"SEND": {DAY: 2}}).cloudwatch([], {}, {})
    reconcile(mailed, again)

    assert [{"theirs": 2}, {"theirs": 2}] == mailed.rows(
        "select theirs from reconciliation where metric = 'SEND'"
    )


def test_the_posture_is_kept_with_the_share_of_the_quota(mailed: Desk, answers: Answers) -> None:
    answers.known().vdm({}, {}).cloudwatch([], {}, {})
    reconcile(mailed, answers)

    [row] = mailed.rows("from reconciliation_posture")
    assert (ACCOUNT, "eu-west-1", "HEALTHY", "GRANTED") == (
        row["account"],
        row["region"],
        row["enforcement_status"],
        row["review_status"],
    )
    assert (True, 50_000.0, 120 / 50_000) == (
        row["is_sending_enabled"],
        row["max_sends_24h"],
        row["quota_used_rate"],
    )


def test_a_rebuild_keeps_what_aws_said(mailed: Desk, answers: Answers) -> None:
    answers.known().vdm({"SEND": {DAY: 2}}, {}).cloudwatch([], {}, {})
    reconcile(mailed, answers)
    said = mailed.rows("from reconciliation order by all")
    mailed.warehouse.close()

    rebuild(mailed.path, mailed.warehouse.options)
    mailed.reopen()

    assert said == mailed.rows("from reconciliation order by all")


def test_a_worker_keeps_it_for_a_verb_that_comes_through_its_door(
    mailed: Desk, answers: Answers
) -> None:
    answers.known().vdm({"SEND": {DAY: 5}}, {}).cloudwatch([], {}, {})
    app = door.to_app(mailed.access, on_broken=lambda: None)
    with door.listen(app, mailed.warehouse.place.socket):
        client = DoorClient(mailed.path)
        reconcile_region(client, lambda: answers.amazon, "eu-west-1", SPAN)

    assert [{"theirs": 5, "reasons": ["multi_recipient"], "quotas": 1}] == mailed.rows(
        "select theirs, reasons, (select count(*) from postures) as quotas "
        "from reconciliation where metric = 'SEND' and configuration_set is null"
    )


def test_vdm_that_is_off_is_said_and_cloudwatch_goes_on(mailed: Desk, answers: Answers) -> None:
    answers.known({**HEALTHY, "VdmAttributes": {"VdmEnabled": "DISABLED"}})
    answers.cloudwatch([], {"Send": {DAY: 5}}, {})

    report = reconcile(mailed, answers)

    assert ["cloudwatch"] == sorted({line.authority for line in report.lines})
    assert "Virtual Deliverability Manager is off in eu-west-1" in report.refusals[0]


def test_each_refusal_leaves_the_others_their_turn(mailed: Desk, answers: Answers) -> None:
    answers.add("sts", "get_caller_identity", IDENTITY)
    answers.refuse("sesv2", "get_account", "AccessDeniedException", status=403)
    error = {"Id": "q0", "Code": "ACCESS_DENIED", "Message": "not you"}
    answers.add("sesv2", "batch_get_metric_data", {"Results": [], "Errors": [error]})
    answers.cloudwatch([], {"Send": {DAY: 5}}, {})

    report = reconcile(mailed, answers)

    assert not report.is_refused
    assert [SourceDenied, SourceDenied] == [type(fault) for fault in report.faults]
    assert "get_account in eu-west-1" in report.refusals[0]
    assert "ses:BatchGetMetricData" in report.refusals[1]


def test_throttled_calls_are_repeated_with_longer_waits(mailed: Desk, answers: Answers) -> None:
    answers.add("sts", "get_caller_identity", IDENTITY)
    for _ in range(3):
        answers.refuse("sesv2", "get_account", "TooManyRequestsException", status=429)
    answers.add("sesv2", "get_account", HEALTHY)
    answers.vdm({}, {}).cloudwatch([], {}, {})

    assert [] == reconcile(mailed, answers).refusals
    assert [0.5, 1.0, 2.0] == answers.waits


def test_patience_ends_and_says_so(mailed: Desk, answers: Answers) -> None:
    for _ in range(7):
        answers.refuse("sts", "get_caller_identity", "Throttling")

    report = reconcile(mailed, answers)

    assert report.is_refused
    assert [SourceUnavailable] == [type(fault) for fault in report.faults]
    assert 6 == len(answers.waits)


def test_pages_of_cloudwatch_are_read_to_the_end(mailed: Desk, answers: Answers) -> None:
    answers.known().vdm({}, {})
    answers.add("cloudwatch", "list_metrics", {"Metrics": [], "NextToken": "more"})
    answers.add("cloudwatch", "list_metrics", {"Metrics": []})
    for number, token in ((2, {"NextToken": "more"}), (3, {})):
        results = [
            {
                "Id": "q0",
                "Timestamps": [datetime.combine(DAY, time(), UTC)],
                "Values": [float(number)],
                "StatusCode": "PartialData" if token else "Complete",
            }
        ]
        answers.add("cloudwatch", "get_metric_data", {"MetricDataResults": results, **token})

    assert (5, 5, ()) == _told(find(reconcile(mailed, answers), "cloudwatch", "Send"))


def test_the_verb_goes_region_by_region_and_fails_only_where_all_refused(
    mailed: Desk, duckpost: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(region: str) -> Answers:
        one = Answers(region)
        one.refuse("sts", "get_caller_identity", "InvalidClientTokenId", status=403)
        return one

    well = Answers("eu-west-1").known().vdm({"SEND": {DAY: 1}}, {}).cloudwatch([], {}, {})
    regions = {"us-east-1": refused("us-east-1"), "eu-west-1": well}
    monkeypatch.setattr(
        "consumer.cli.reconcile.Amazon", lambda _access, region: regions[region].amazon
    )

    some = duckpost("reconcile", "--region", "us-east-1", "--region", "eu-west-1")
    regions["us-east-1"] = refused("us-east-1")
    none = duckpost("reconcile", "--region", "us-east-1", "--json")

    assert 0 == some.code
    assert "InvalidClientTokenId" in some.out
    assert "account HEALTHY, may send; 120 of 50000 recipients" in some.out
    assert "unexplained" in some.out
    assert 3 == none.code
    assert "AWS answered nothing in us-east-1" in none.err
    assert ["us-east-1"] == [one["region"] for one in json.loads(none.out)]


def test_without_a_region_the_mail_names_them(
    desk: Desk, duckpost: Verb, new_letter: NewLetter, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 2 == duckpost("reconcile").code
    desk.write(new_letter(sent=SENT).send())
    asked: list[str] = []

    def amazon(_access: AwsAccess, region: str) -> Amazon:
        asked.append(region)
        return Answers(region).known().vdm({}, {}).cloudwatch([], {}, {}).amazon

    monkeypatch.setattr("consumer.cli.reconcile.Amazon", amazon)
    assert 0 == duckpost("reconcile", "--json").code
    assert ["eu-west-1"] == asked
