"""Identity copies of one event that contradict each other: that of the least content remains.

Whichever came first. Hardly any warehouse ever sees two, so this is asked only where two meet.
"""

from typing import Final

import duckdb
import pyarrow as pa

from consumer.rows.columns import STORED_COLUMNS
from consumer.warehouse.writing.form_groups import Rank

# What may belong to the message's Send says nothing of the copy itself.
_OF_THE_COPY: Final = ", ".join(
    f"{{row}}.{name}"
    for name in STORED_COLUMNS
    if name
    not in {"event_key", "received_at", "configuration_set", "tenant", "from_domain", "tags"}
)
# Compared as text. Led by what places a mark: a copy that takes over from another then never leaves
# a mark to a third row.
_CONTENT: Final = f"""
    concat_ws(
        ' ',
        complaint_kind_of({{row}}.complaint_sub_type, {{row}}.complaint_feedback_type)
        != 'complaint',
        {{row}}.event_at,
        row({_OF_THE_COPY})::varchar
    )
"""

# grain: one row per arriving identity copy of a contested key; it improves where its content is
# less than all before it, and is overtaken where one behind it improves again
_CONTEST: Final = f"""
with told as (
    select r.event_key, r.ordinal, {_CONTENT.format(row="r")} as content
    from rivals as r
    union all
    select e.event_key, -1 as ordinal, {_CONTENT.format(row="e")} as content
    from events as e
    where
        {{within}}
        and e.is_identity_notification
        and e.event_key in (select event_key from rivals)
),
compared as (
    select
        event_key,
        ordinal,
        coalesce(
            content < min(content) over (
                partition by event_key order by ordinal
                rows between unbounded preceding and 1 preceding
            ),
            false
        ) as is_improving,
    from told
)
select
    ordinal,
    is_improving,
    coalesce(
        bool_or(is_improving) over (
            partition by event_key order by ordinal
            rows between 1 following and unbounded following
        ),
        false
    ) as is_overtaken,
from compared
"""


def compare_copies(
    connection: duckdb.DuckDBPyConnection, rivals: pa.Table, *, within: str
) -> dict[int, Rank]:
    """Return by ordinal how arriving identity copies rank, among each other and the stored ones.

    Args:
        connection: the writer's.
        rivals: the rows that share their key with another, or with a stored identity copy.
        within: SQL for the hours of ``events as e`` to look in.
    """
    if not rivals.num_rows:
        return {}
    connection.register("rivals", rivals)
    found = connection.execute(_CONTEST.format(within=within)).fetchall()
    return {ordinal: Rank(*said) for ordinal, *said in found}
