"""What becomes of each arriving row: new, a duplicate, or the better copy of one that is there.

The same Bounce, Complaint or Delivery can arrive as identity notification and as event
publishing, in either order; one copy remains, the event-publishing one. Copies of one Bounce or
Complaint share their feedback id, or message and second, even where their lists differ. Where two
identity copies contradict each other, that of the least content remains, whichever came first.
"""

from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.rows.columns import STORED_COLUMNS
from consumer.warehouse.hours import hours_of, near, within

# Copies of one report share this; a report without feedback id is one a message and second.
_FORM_GROUP: Final = """
    case when {row}.event_type in ('Bounce', 'Complaint') then coalesce(
        {row}.feedback_id,
        concat_ws(
            ' ', {row}.event_type, {row}.message_id, date_trunc('second', {row}.event_at)
        )
    )
    else {row}.event_key::varchar end
"""

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

_JUDGED_BY_KEY: Final = """
    select
        i.ordinal,
        i.event_key,
        case
            when i.sent_at < {horizon} then 'expired'
            when k.event_key is not null then 'duplicate'
            when row_number() over (partition by i.event_key order by i.ordinal) > 1
                then 'duplicate'
            else 'inserted'
        end as fate,
    from incoming as i
    left join {known} as k on k.event_key = i.event_key
"""
_STORED_KEYS: Final = "(select event_key from events where {within})"
# grain: one row per arriving row; fate is its place in the conservation law, stays says whether
# it is in `events` once the batch is committed
_FATES_OF_ONE_FORM: Final = f"""
create or replace temp table fates as
with judged as (
    {_JUDGED_BY_KEY.format(known=_STORED_KEYS, horizon="{horizon}")}
)
select ordinal, fate, fate = 'inserted' as stays from judged
"""

# Most rows are of types that SES tells of in one form alone.
_HAS_ONE_FORM: Final = (
    "not i.is_identity_notification and i.event_type not in ('Bounce', 'Complaint', 'Delivery')"
)

_KNOWN: Final = f"""
create or replace temp table known as
select e.event_key, e.event_at, e.sent_at, e.message_id,
    e.is_identity_notification as is_identity,
    {_FORM_GROUP.format(row="e")} as form_group,
from events as e
where {{within}} and e.event_key in (select event_key from incoming)
union
select e.event_key, e.event_at, e.sent_at, e.message_id,
    e.is_identity_notification as is_identity,
    {_FORM_GROUP.format(row="e")} as form_group,
from events as e
where {{within}} and e.event_type in ('Bounce', 'Complaint') and (
    e.feedback_id in (select feedback_id from incoming where feedback_id is not null)
    or (
        e.feedback_id is null and e.message_id in (
            select message_id from incoming
            where event_type in ('Bounce', 'Complaint') and feedback_id is null
        )
    )
)
"""

# grain: one row per key that identity copies share, arriving twice or here already
_CONTESTED: Final = """
create or replace temp table contested as
with arriving as (
    select event_key, count(*) as copies from incoming
    where is_identity_notification
    group by event_key
)
select event_key from arriving
where copies > 1 or event_key in (select event_key from known where is_identity)
"""

# grain: one row per arriving identity copy of a contested key; it improves where its content is
# less than all before it, and is overtaken where one behind it improves again
_CONTEST: Final = f"""
create or replace temp table contest as
with told as (
    select i.event_key, i.ordinal, {_CONTENT.format(row="i")} as content
    from incoming as i
    where
        i.is_identity_notification
        and i.sent_at >= {{horizon}}
        and i.event_key in (select event_key from contested)
    union all
    select e.event_key, -1 as ordinal, {_CONTENT.format(row="e")} as content
    from events as e
    where
        {{within}}
        and e.is_identity_notification
        and e.event_key in (select event_key from contested)
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
_JOIN_CONTEST: Final = "left join contest as c on c.ordinal = a.ordinal"

_FATES_OF_TWO_FORMS: Final = f"""
create or replace temp table fates as
with arrivals as (
    select
        i.ordinal,
        i.event_key,
        i.sent_at,
        i.is_identity_notification as is_identity,
        {_FORM_GROUP.format(row="i")} as form_group,
    from incoming as i
    where not ({_HAS_ONE_FORM})
),
known_keys as (
    select event_key, bool_or(not is_identity) as is_published from known group by event_key
),
known_groups as (
    select
        form_group,
        bool_or(not is_identity) as has_published,
        bool_or(is_identity) as has_identity,
    from known
    group by form_group
),
placed as (
    select
        a.ordinal,
        a.event_key,
        a.sent_at,
        a.is_identity,
        a.form_group,
        k.event_key is not null as is_known,
        coalesce(k.is_published, false) as is_known_published,
        coalesce(g.has_published, false) as has_published,
        coalesce(g.has_identity, false) as has_identity,
        coalesce({{is_improving}}, false) as is_improving,
        coalesce({{is_overtaken}}, false) as is_overtaken,
        row_number() over (
            partition by a.event_key, a.is_identity order by a.ordinal
        ) as copy_number,
        min(a.ordinal) filter (where not a.is_identity and a.sent_at >= {{horizon}}) over (
            partition by a.form_group
        ) as first_published,
        min(a.ordinal) filter (where a.is_identity and a.sent_at >= {{horizon}}) over (
            partition by a.form_group
        ) as first_identity,
    from arrivals as a
    left join known_keys as k on k.event_key = a.event_key
    left join known_groups as g on g.form_group = a.form_group
    {{contest}}
),
judged as (
    select
        ordinal,
        event_key,
        is_identity,
        is_overtaken,
        form_group,
        first_published,
        case
            when sent_at < {{horizon}} then 'expired'
            when is_identity and (has_published or coalesce(first_published < ordinal, false))
                then 'duplicate'
            when is_improving then 'superseded'
            when copy_number > 1 or (is_identity and is_known) then 'duplicate'
            when is_identity then 'inserted'
            when is_known_published then 'duplicate'
            when has_identity or coalesce(first_identity < ordinal, false) then 'superseded'
            else 'inserted'
        end as fate,
    from placed
),
judged_by_key as (
    {_JUDGED_BY_KEY.format(known="known_keys", horizon="{horizon}")}
    where {_HAS_ONE_FORM}
)
select
    ordinal,
    fate,
    fate in ('inserted', 'superseded')
    and (not is_identity or (first_published is null and not is_overtaken)) as stays,
    event_key,
    is_identity,
    form_group,
from judged
union all by name
select ordinal, fate, fate = 'inserted' as stays, event_key, false as is_identity,
from judged_by_key
"""

# the stored identity copies that give way, with what is needed to find them again
_GIVING_WAY: Final = """
create or replace temp table giving_way as
select k.event_key, k.event_at, k.sent_at, k.message_id
from known as k
where
    k.is_identity
    and (
        k.form_group in (
            select form_group from fates where fate = 'superseded' and not is_identity
        )
        or k.event_key in (
            select event_key from fates where fate = 'superseded' and is_identity
        )
    )
"""


_GONE: Final = (
    "select event_key::varchar as event_key, event_at, sent_at, message_id from giving_way"
)


def judge(
    connection: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    *,
    horizon: str,
    has_identity_copies: bool,
) -> tuple[int, pa.Table | None]:
    """Fill the temporary table ``fates`` for the rows registered as ``incoming``.

    Stored copies that give way leave the warehouse here, with their marks and their place among
    the waiting. Returns how many rows were taken out, or never put in, for a better copy, and the
    rows taken out: event_key (as text), event_at, sent_at, message_id.

    Args:
        connection: the writer's, inside its transaction.
        rows: the same rows as ``incoming``.
        horizon: SQL for the instant before which messages have been pruned.
        has_identity_copies: whether the warehouse holds any identity notification: without one
            there or here nothing can give way, and the question costs nothing.
    """
    hours = hours_of(rows["event_at"])
    arrives_by_identity = bool(pc.any(rows["is_identity_notification"]).as_py())
    if not arrives_by_identity and not has_identity_copies:
        condition = within("event_at", hours)
        connection.execute(_FATES_OF_ONE_FORM.format(within=condition, horizon=horizon))
        return 0, None
    connection.execute(_KNOWN.format(within=within("e.event_at", hours)))
    is_contested = arrives_by_identity and _compare_copies(connection, hours, horizon)
    connection.execute(
        _FATES_OF_TWO_FORMS.format(
            horizon=horizon,
            contest=_JOIN_CONTEST if is_contested else "",
            is_improving="c.is_improving" if is_contested else "false",
            is_overtaken="c.is_overtaken" if is_contested else "false",
        )
    )
    connection.execute(_GIVING_WAY)
    stored = connection.sql(_GONE).to_arrow_table()
    if stored.num_rows:
        _remove(connection, stored)
    (passed_over,) = connection.execute(
        "select count(*) from fates where fate in ('inserted', 'superseded') and not stays"
    ).fetchall()[0]
    return int(stored.num_rows) + int(passed_over), stored


def _compare_copies(connection: duckdb.DuckDBPyConnection, hours: list[int], horizon: str) -> bool:
    """Fill ``contest``; False where no identity copy meets another, which is the rule."""
    (contested,) = connection.execute(_CONTESTED).fetchall()[0]
    if contested:
        connection.execute(_CONTEST.format(within=within("e.event_at", hours), horizon=horizon))
    return bool(contested)


def _remove(connection: duckdb.DuckDBPyConnection, stored: pa.Table) -> None:
    by_event = near("event_at", stored["event_at"].combine_chunks())
    by_send = near("sent_at", stored["sent_at"].combine_chunks())
    keys = "event_key in (select event_key from giving_way)"
    connection.execute(f"delete from events where {by_event} and {keys}")
    connection.execute(f"delete from marks where {by_send} and {keys}")
    connection.execute(f"delete from waiting where {by_send} and {keys}")
