"""Whose mailboxes a recipient's domain has, for the rows of a batch at once."""

from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consumer.warehouse.pieces import whole

_PROVIDERS: Final = "select domain, provider, has_feedback_loop from providers"


class Domains:
    """The map of providers, read once for as long as neither rules nor answers of DNS change."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        known = connection.sql(_PROVIDERS).to_arrow_table().combine_chunks()
        ((own,),) = connection.execute("select own_domains()").fetchall()
        self._domains = whole(known["domain"])
        self._providers = whole(known["provider"])
        self._looped = self._providers.filter(whole(known["has_feedback_loop"]))
        self._own = pa.array(own, pa.string())

    def to_providers(self, domains: pa.Array) -> pa.Array:
        """Return each domain's provider; one that no provider has is its own."""
        position = pc.index_in(domains, value_set=self._domains)
        return pc.coalesce(self._providers.take(position), domains)

    def have_loops(self, providers: pa.Array) -> pa.Array:
        """Return of each provider whether it tells SES of complaints."""
        return pc.is_in(providers, value_set=self._looped, skip_nulls=True)

    def are_own(self, domains: pa.Array) -> pa.Array:
        """Return of each domain whether it is one's own, and verified."""
        return pc.is_in(domains, value_set=self._own, skip_nulls=True)
