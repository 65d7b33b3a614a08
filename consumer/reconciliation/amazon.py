"""What AWS is asked, region by region: the account, VDM's figures and CloudWatch's."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import Any, Final

from consumer.errors import SourceDenied, SourceUnavailable
from consumer.reconciliation.scopes import (
    CLOUDWATCH_METRICS,
    EVERYTHING,
    VDM_METRICS,
    Metric,
    Scope,
    Series,
    Span,
)
from consumer.sources.aws import AwsAccess
from consumer.sources.aws_calls import AwsCaller
from consumer.warehouse.reconciliations import Posture

# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_BatchGetMetricData.html
_VDM_QUERIES: Final = 10
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
_CLOUDWATCH_QUERIES: Final = 500
_DAY_SECS: Final = 86_400
_NAMESPACE: Final = "AWS/SES"
_SET_DIMENSION: Final = "ses:configuration-set"

_Asked = tuple[Scope, Metric]


class Amazon:
    """AWS in one region, as the credentials see it.

    Args:
        access: whose credentials.
        region: the AWS region.
        sleep: how it waits when AWS asks to slow down.
    """

    def __init__(
        self,
        access: AwsAccess,
        region: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.region = region
        self._sts = AwsCaller(access, "sts", region, sleep=sleep)
        self.ses = AwsCaller(access, "sesv2", region, sleep=sleep)
        self.cloudwatch = AwsCaller(access, "cloudwatch", region, sleep=sleep)

    @property
    def callers(self) -> dict[str, AwsCaller]:
        """The services that are asked, by name."""
        return {"sts": self._sts, "sesv2": self.ses, "cloudwatch": self.cloudwatch}

    def read_account(self) -> str:
        """Ask whose credentials these are; any identity may.

        https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
        """
        return str(self._sts.call("get_caller_identity")["Account"])

    def read_posture(self, account: str) -> Posture:
        """Ask how the account stands.

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html
        """
        told = self.ses.call("get_account")
        quota = told.get("SendQuota", {})
        vdm = told.get("VdmAttributes", {})
        return Posture(
            account=account,
            region=self.region,
            enforcement_status=told.get("EnforcementStatus"),
            review_status=told.get("Details", {}).get("ReviewDetails", {}).get("Status"),
            is_sending_enabled=told.get("SendingEnabled"),
            has_production_access=told.get("ProductionAccessEnabled"),
            max_sends_24h=quota.get("Max24HourSend"),
            max_sends_per_sec=quota.get("MaxSendRate"),
            sends_24h=quota.get("SentLast24Hours"),
            is_vdm_enabled=_is_enabled(vdm.get("VdmEnabled")),
            has_engagement_metrics=_is_enabled(
                vdm.get("DashboardAttributes", {}).get("EngagementMetrics")
            ),
        )

    def read_vdm(self, scopes: Sequence[Scope], span: Span) -> Series:
        """Ask VDM for daily volumes; a scope that VDM knows nothing of has no entry.

        https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_BatchGetMetricData.html

        Raises `SourceDenied` where any query was refused, and `SourceUnavailable` likewise.
        """
        wanted = [(scope, metric) for scope in scopes for metric in VDM_METRICS]
        found: Series = {}
        for some in _slice(wanted, _VDM_QUERIES):
            queries = [
                _to_vdm_query(f"q{number}", scope, metric, span)
                for number, (scope, metric) in enumerate(some)
            ]
            answer = self.ses.call("batch_get_metric_data", Queries=queries)
            for error in answer.get("Errors", []):
                self._refuse(error, some)
            for result in answer.get("Results", []):
                scope, metric = some[int(result["Id"][1:])]
                _add(found, (scope, metric.name), result, span)
        return found

    def _refuse(self, error: dict[str, Any], asked: Sequence[_Asked]) -> None:
        metric = asked[int(error["Id"][1:])][1].name if error.get("Id") else "a metric"
        code, message = error.get("Code"), error.get("Message", "no reason given")
        text = f"sesv2 batch_get_metric_data of {metric} in {self.region}: {code} ({message})"
        if code == "ACCESS_DENIED":
            raise SourceDenied(f"{text}; allow ses:BatchGetMetricData, and switch VDM on")
        raise SourceUnavailable(f"{text}; try again later")

    def list_cloudwatch_sets(self) -> set[str]:
        """List the configuration sets of which CloudWatch has metrics of the last two weeks.

        Those that are published with ``ses:configuration-set`` as the only dimension: others are
        split by further tags, and adding those up would count a message for each destination.
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
        """
        names: set[str] = set()
        asked: dict[str, object] = {
            "Namespace": _NAMESPACE,
            "Dimensions": [{"Name": _SET_DIMENSION}],
        }
        for answer in self._pages("list_metrics", asked):
            for metric in answer.get("Metrics", []):
                dimensions = metric.get("Dimensions", [])
                if len(dimensions) == 1:
                    names.add(dimensions[0]["Value"])
        return names

    def read_cloudwatch(self, scopes: Sequence[Scope], span: Span) -> Series:
        """Ask CloudWatch for daily sums; what is not published there has no entry.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
        """
        wanted = [(scope, metric) for scope in scopes for metric in CLOUDWATCH_METRICS]
        found: Series = {}
        for some in _slice(wanted, _CLOUDWATCH_QUERIES):
            asked = {
                "MetricDataQueries": [
                    _to_cloudwatch_query(f"q{number}", scope, metric)
                    for number, (scope, metric) in enumerate(some)
                ],
                "StartTime": _start_of(span.first),
                "EndTime": _start_of(span.last + timedelta(days=1)),
            }
            for answer in self._pages("get_metric_data", asked):
                for result in answer.get("MetricDataResults", []):
                    scope, metric = some[int(result["Id"][1:])]
                    if result.get("StatusCode") == "Forbidden":
                        raise SourceDenied(
                            f"cloudwatch get_metric_data of {metric.name} in {self.region} was "
                            "refused; allow cloudwatch:GetMetricData"
                        )
                    _add(found, (scope, metric.name), result, span)
        return found

    def _pages(self, operation: str, asked: dict[str, object]) -> Iterator[dict[str, Any]]:
        token: object = None
        while True:
            page = {"NextToken": token} if token else {}
            answer = self.cloudwatch.call(operation, **asked, **page)
            yield answer
            token = answer.get("NextToken")
            if not token:
                return


def _slice(wanted: list[_Asked], most: int) -> Iterator[list[_Asked]]:
    return (wanted[start : start + most] for start in range(0, len(wanted), most))


def _is_enabled(told: str | None) -> bool | None:
    return None if told is None else told == "ENABLED"


def _start_of(day: date) -> datetime:
    return datetime.combine(day, clock(), UTC)


def _to_vdm_query(name: str, scope: Scope, metric: Metric, span: Span) -> dict[str, object]:
    dimensions = {"CONFIGURATION_SET": scope.configuration_set, "ISP": scope.provider}
    given = {key: value for key, value in dimensions.items() if value is not None}
    return {
        "Id": name,
        "Namespace": "VDM",
        "Metric": metric.name,
        "StartDate": _start_of(span.vdm_first),
        "EndDate": _start_of(span.last + timedelta(days=1)),
        # an empty map is refused: it has one entry at least
        **({"Dimensions": given} if given else {}),
    }


def _to_cloudwatch_query(name: str, scope: Scope, metric: Metric) -> dict[str, object]:
    dimensions = (
        [] if scope == EVERYTHING else [{"Name": _SET_DIMENSION, "Value": scope.configuration_set}]
    )
    asked = {"Namespace": _NAMESPACE, "MetricName": metric.name, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": asked, "Period": _DAY_SECS, "Stat": "Sum"}}


def _add(found: Series, key: tuple[Scope, str], result: dict[str, Any], span: Span) -> None:
    """Take a result's points in; one page may bring a part of a series, and the next its rest."""
    points: Iterable[tuple[datetime, float]] = zip(
        result.get("Timestamps", []), result.get("Values", []), strict=True
    )
    for at, value in points:
        day = at.astimezone(UTC).date()
        if span.first <= day <= span.last:
            days = found.setdefault(key, {})
            days[day] = days.get(day, 0) + round(value)
