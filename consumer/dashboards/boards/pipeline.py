"""Pipeline health: whether events come in, how late, and what became of all that came."""

from consumer.dashboards.boards.questions import long_series, wide_series
from consumer.dashboards.choices import Choice, chosen
from consumer.dashboards.definitions import Definitions, count
from consumer.dashboards.panels import BYTES, COUNT, Board, Line, Panel, Row

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
        "SES 9 · Pipeline health",
        "Whether events come in, how late, and what became of all that came.",
        (SOURCE,),
        (
            Row("Now", tuple(_stats(d))),
            Row("What came", (_by_source(d), *(_fates(d)))),
            Row("Sources", (_sources(d),)),
            Row("Quarantine and conservation", (_quarantine(d), _conservation(d))),
            Row("Disk", (_disk(d), _file(d))),
        ),
        "now-24h",
    )


def _stats(d: Definitions) -> list[Panel]:
    lines = {
        "newest_commit_age_secs": (Line(3600, "orange"), Line(21_600, "red")),
        "newest_event_age_secs": (Line(3600, "orange"), Line(21_600, "red")),
        "payloads_in_quarantine": (Line(1, "orange"),),
        "implausible_event_times": (Line(1, "orange"),),
    }
    return [
        Panel(
            "stat",
            title,
            f"select p.{column}\nfrom pipeline_health as p",
            d.explain(f"pipeline_health.{column}"),
            unit,
            width=4,
            height=4,
            lines=lines.get(column, ()),
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
        "series",
        "Payloads, by source",
        long_series("m.source", count("payloads"), _HOURLY, _BY_TIME),
        d.explain("pipeline_hourly.payloads", "pipeline_hourly.committed_hour"),
        COUNT,
        width=12,
        height=9,
    )


def _fates(d: Definitions) -> tuple[Panel, ...]:
    columns = ",\n    ".join(f"{count(name)} as {name}" for name in _FATES)
    return (
        Panel(
            "bars",
            "What became of them",
            f"select\n    {_BY_TIME},\n    {columns}\n{_HOURLY}\ngroup by time\norder by time",
            d.explain(*(f"pipeline_hourly.{name}" for name in _FATES)),
            COUNT,
            width=12,
            height=9,
            is_stacked=True,
        ),
    )


def _sources(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Sources",
        "select\n    p.source,\n    p.last_received_at,\n    p.last_committed_at,\n    p.batches,\n"
        "    p.payloads,\n    p.inserted,\n    p.duplicates,\n    p.quarantined,\n    p.ignored\n"
        f"from pipeline_by_source as p\nwhere true{chosen((SOURCE,), 'p')}\norder by p.source",
        d.explain("pipeline_by_source", "pipeline_by_source.last_received_at", "alert_silence"),
        COUNT,
        width=24,
        height=7,
    )


def _quarantine(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Quarantine, by reason",
        "select\n    q.reason,\n    q.source,\n    q.payloads,\n    q.payload_bytes,\n"
        "    q.first_received_at,\n    q.last_received_at,\n    q.last_sha256\n"
        "from quarantined_by_reason as q\n"
        f"where true{chosen((SOURCE,), 'q')}\norder by q.payloads desc, q.reason, q.source",
        d.explain(
            "quarantined_by_reason",
            "quarantined_by_reason.last_sha256",
            "alert_quarantine_growth",
            note="`duckpost quarantine show` has the payload.",
        ),
        COUNT,
        width=14,
        height=9,
        units={"payload_bytes": BYTES},
        empty="nothing is in quarantine",
    )


def _conservation(d: Definitions) -> Panel:
    return Panel(
        "table",
        "Conservation",
        "select\n    c.source,\n    c.received,\n    c.unaccounted,\n    c.unbalanced_batches\n"
        f"from conservation as c\nwhere true{chosen((SOURCE,), 'c')}\norder by c.source",
        d.explain("conservation", "conservation.unaccounted"),
        COUNT,
        width=10,
        height=9,
        lines=(Line(1, "red"),),
    )


def _disk(d: Definitions) -> Panel:
    return Panel(
        "series",
        "Free on the disk",
        _of_disk("min(m.free_bytes) as free_bytes,\n    max(m.floor_bytes) as floor_bytes"),
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


def _of_disk(select: str) -> str:
    return wide_series(
        select,
        "from disk_hourly as m\nwhere $__timeFilter(m.looked_hour)",
        "$__timeGroupAlias(m.looked_hour, $__interval)",
    )
