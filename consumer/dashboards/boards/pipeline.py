"""Pipeline health: whether events come in, how late, and what became of all that came."""

from consumer.dashboards.boards.questions import counts, long_series, select, wide_series
from consumer.dashboards.choices import Choice, chosen
from consumer.dashboards.definitions import Definitions, count
from consumer.dashboards.panels import BYTES, COUNT, Board, Panel, Row
from consumer.dashboards.thresholds import LINES

SOURCE = Choice(
    "source", "Source", "select p.source\nfrom pipeline_by_source as p\norder by p.source"
)
_BY_TIME = "$__timeGroupAlias(m.committed_hour, $__interval)"
_HOURLY = (
    f"from pipeline_hourly as m\nwhere $__timeFilter(m.committed_hour){chosen((SOURCE,), 'm')}"
)
_FATES = ("inserted", "superseded", "duplicates", "quarantined", "ignored")
_SECS = "s"


def pipeline(d: Definitions) -> Board:
    """Return the dashboard."""
    return Board(
        "duckpost-pipeline",
        "SES 09 · Pipeline health",
        "Whether events come in, how late, and what became of all that came.",
        (SOURCE,),
        (
            Row("Now", tuple(_stats(d))),
            Row("What came", (_by_source(d), _fates(d))),
            Row("Sources", (_sources(d),)),
            Row("Quarantine and conservation", (_quarantine(d), _conservation(d))),
            Row("Disk", (_disk(d), _file(d))),
        ),
        "now-24h",
    )


def _stats(d: Definitions) -> list[Panel]:
    return [
        Panel(
            "stat",
            title,
            f"select p.{column}\nfrom pipeline_health as p",
            d.explain(f"pipeline_health.{column}"),
            unit,
            width=4,
            height=4,
            lines=LINES.get(column, ()),
            empty="nothing yet",
        )
        for column, title, unit in (
            ("newest_event_age_secs", "Newest event", _SECS),
            ("newest_commit_age_secs", "Newest commit", _SECS),
            ("events", "Rows", COUNT),
            ("payloads_in_quarantine", "In quarantine", COUNT),
            ("events_waiting_for_send", "Waiting for a Send", COUNT),
            ("implausible_event_times", "Implausible times", COUNT),
        )
    ]


def _by_source(d: Definitions) -> Panel:
    return Panel(
        "bars",
        "Payloads, by source",
        long_series("m.source", count("payloads"), _HOURLY, _BY_TIME),
        d.explain("pipeline_hourly.payloads", "pipeline_hourly.committed_hour"),
        width=12,
        height=9,
        is_stacked=True,
    )


def _fates(d: Definitions) -> Panel:
    return Panel(
        "bars",
        "What became of them",
        wide_series(counts(_FATES), _HOURLY, _BY_TIME),
        d.explain(*(f"pipeline_hourly.{name}" for name in _FATES)),
        width=12,
        height=9,
        is_stacked=True,
    )


def _sources(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Sources",
        select(
            (
                "source",
                "last_received_at",
                "last_committed_at",
                "batches",
                "payloads",
                "inserted",
                "duplicates",
                "quarantined",
                "ignored",
            ),
            f"from pipeline_by_source as p\nwhere true{chosen((SOURCE,), 'p')}",
            "order by p.source",
            alias="p",
        ),
        d.explain("pipeline_by_source", "pipeline_by_source.last_received_at", "alert_silence"),
        width=24,
        height=6,
    )


def _quarantine(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Quarantine, by reason",
        select(
            (
                "reason",
                "source",
                "payloads",
                "payload_bytes",
                "first_received_at",
                "last_received_at",
                "last_sha256",
            ),
            f"from quarantined_by_reason as q\nwhere true{chosen((SOURCE,), 'q')}",
            "order by q.payloads desc, q.reason, q.source",
            alias="q",
        ),
        d.explain(
            "quarantined_by_reason",
            "quarantined_by_reason.last_sha256",
            "alert_quarantine_growth",
            note="`duckpost quarantine show` has the payload.",
        ),
        width=24,
        height=7,
        units={"payload_bytes": BYTES},
        empty="nothing is in quarantine",
    )


def _conservation(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Conservation",
        select(
            ("source", "received", "unaccounted", "unbalanced_batches"),
            f"from conservation as c\nwhere true{chosen((SOURCE,), 'c')}",
            "order by c.source",
            alias="c",
        ),
        d.explain("conservation", "conservation.unaccounted"),
        width=24,
        height=5,
    )


def _disk(d: Definitions) -> Panel:
    return Panel(
        "series",
        "Free on the disk",
        _of_disk("min(m.free_bytes) as free_bytes", "max(m.floor_bytes) as floor_bytes"),
        d.explain("disk_hourly.free_bytes", "disk_hourly.floor_bytes", "alert_disk"),
        BYTES,
        width=12,
        empty="no worker has looked in this range",
    )


def _file(d: Definitions) -> Panel:
    return Panel(
        "series",
        "The warehouse's file",
        _of_disk("max(m.file_bytes) as file_bytes"),
        d.explain("disk_hourly.file_bytes"),
        BYTES,
        width=12,
        empty="no worker has looked in this range",
    )


def _of_disk(*columns: str) -> str:
    return wide_series(
        columns,
        "from disk_hourly as m\nwhere $__timeFilter(m.looked_hour)",
        "$__timeGroupAlias(m.looked_hour, $__interval)",
    )
