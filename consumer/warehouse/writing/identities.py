"""Which verified identity stands behind a source address, learned from events that say so.

Opens, clicks and templated Sends carry no ``sourceArn``. The holder of an address is the least
(event_at, event_key) that names one, so that order of arrival changes nothing; views look it up.
Duplicates speak too: which of two copies is the duplicate depends on what came first.
"""

from datetime import datetime
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

# grain: one row per account, region and source address that these rows say something new about
_LEARNED: Final = """
create or replace temp table learned as
with named as (
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
    from naming
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

_WHOSE: Final = ("account", "region", "source")
_NAMING: Final = (*_WHOSE, "identity", "identity_account", "event_at", "event_key")
# A source may be another for every message (VERP): so many are a few megabytes.
_MOST_REMEMBERED: Final = 20_000


class Identities:
    """What the file's table says, remembered for as long as the writer alone changes it.

    Nearly every row is later than its address's holder, and says nothing new.
    """

    def __init__(self) -> None:
        self._since: dict[tuple[str | None, ...], datetime] | None = None

    def forget(self) -> None:
        """Ask the file anew: somebody changed it, or what was learned was rolled back."""
        self._since = None

    def learn(
        self, connection: duckdb.DuckDBPyConnection, rows: pa.Table, *, horizon: datetime | None
    ) -> None:
        """Take over what the batch's rows say, where they are the earliest to say it.

        Inside the caller's transaction. ``horizon`` is the instant before which messages have been
        pruned.
        """
        naming = _find_naming(rows, horizon)
        if not self._is_news(connection, naming):
            return
        connection.register("naming", naming)
        connection.execute(_LEARNED)
        ((news,),) = connection.execute("select count(*) from learned").fetchall()
        if news:
            self.forget()
            connection.execute(_FORGET)
            connection.execute("insert into identities by name select * from learned")

    def _is_news(self, connection: duckdb.DuckDBPyConnection, naming: pa.Table) -> bool:
        """Whether some row may be earlier than its address's holder."""
        if not naming.num_rows:
            return False
        if self._since is None:
            self._since = _read(connection)
        earliest = naming.group_by(_WHOSE, use_threads=False).aggregate([("event_at", "min")])
        since = self._since
        return any(
            (holder := since.get((account, region, source))) is None or at <= holder
            for account, region, source, at in zip(
                *(earliest[name].to_pylist() for name in (*_WHOSE, "event_at_min")), strict=True
            )
        )


def _find_naming(rows: pa.Table, horizon: datetime | None) -> pa.Table:
    """The rows that name an identity and whose it is, with their instants to the second.

    So identity notifications have them: either form of an event says the same.
    """
    names = pc.and_(pc.is_valid(rows["identity"]), pc.is_valid(rows["source"]))
    if horizon is not None:
        known = pc.greater_equal(rows["sent_at"], pa.scalar(horizon, pa.timestamp("us")))
        names = pc.and_(names, known)
    naming = rows.select(_NAMING).filter(names)
    place = naming.column_names.index("event_at")
    return naming.set_column(
        place, "event_at", pc.floor_temporal(naming["event_at"], unit="second")
    )


def _read(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str | None, ...], datetime]:
    """Return since when each address has its holder; of too many none."""
    ((count,),) = connection.execute("select count(*) from identities").fetchall()
    if count > _MOST_REMEMBERED:
        return {}
    found = connection.execute("select account, region, source, event_at from identities")
    return {(account, region, source): at for account, region, source, at in found.fetchall()}
