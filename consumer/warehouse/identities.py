"""Which verified identity stands behind a source address, learned from events that say so.

Opens, clicks and templated Sends carry no ``sourceArn``. The holder of an address is the least
(event_at, event_key) that names one, so that order of arrival changes nothing; views look it up.
Duplicates speak too: which of two copies is the duplicate depends on what came first.
"""

from typing import Final

import duckdb

# grain: one row per account, region and source address that this batch says something about
_LEARNED: Final = """
create or replace temp table learned as
with said as (
    select
        i.account,
        i.region,
        i.source,
        i.identity,
        i.identity_account,
        -- to the second, as identity notifications are: either form of an event says the same
        date_trunc('second', i.event_at) as event_at,
        i.event_key,
    from incoming as i
    left join identities as h
        on
            h.source = i.source
            and h.account is not distinct from i.account
            and h.region is not distinct from i.region
    where
        i.identity is not null
        and i.source is not null
        and i.sent_at >= {horizon}
        -- nearly every row is later than the holder: dropped before anything is compared
        and (h.event_at is null or i.event_at <= h.event_at + interval 1 second)
),
named as (
    select
        account,
        region,
        source,
        -- two copies of one event may name two identities
        arg_min(
            (identity, identity_account),
            (event_at, event_key, identity, coalesce(identity_account, ''))
        ) as who,
        min(event_at) as event_at,
        arg_min(event_key, (event_at, event_key)) as event_key,
    from said
    group by account, region, source
)
select
    n.account,
    n.region,
    n.source,
    n.who[1] as identity,
    n.who[2] as identity_account,
    n.event_at,
    n.event_key,
from named as n
where not exists (
    select 1
    from identities as h
    where
        h.source = n.source
        and h.account is not distinct from n.account
        and h.region is not distinct from n.region
        and (h.event_at, h.event_key, h.identity, coalesce(h.identity_account, ''))
        <= (n.event_at, n.event_key, n.who[1], coalesce(n.who[2], ''))
)
"""

_FORGET: Final = """
delete from identities as h
where exists (
    select 1
    from learned as n
    where
        h.source = n.source
        and h.account is not distinct from n.account
        and h.region is not distinct from n.region
)
"""


def learn_identities(connection: duckdb.DuckDBPyConnection, *, horizon: str) -> None:
    """Take over what the rows in ``incoming`` say, where they are the earliest to say it.

    ``horizon`` is SQL for the instant before which messages have been pruned.
    """
    connection.execute(_LEARNED.format(horizon=horizon))
    (news,) = connection.execute("select count(*) from learned").fetchall()[0]
    if news:
        connection.execute(_FORGET)
        connection.execute("insert into identities by name select * from learned")
