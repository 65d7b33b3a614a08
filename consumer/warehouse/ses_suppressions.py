"""SES's account suppression list as last read, beside what events say."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import duckdb
import pyarrow as pa

from consumer.warehouse.warehouse import Warehouse

_FIELDS: Final = pa.schema(
    [
        ("account", pa.string()),
        ("region", pa.string()),
        ("recipient", pa.string()),
        ("reason", pa.string()),
        ("updated_at", pa.timestamp("us")),
    ]
)


class Listed(NamedTuple):
    """One address on the list: normalised, SES's reason, and when SES last put it there, UTC.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SuppressedDestinationSummary.html
    """

    recipient: str
    reason: str
    updated_at: datetime


def keep_list(warehouse: Warehouse, account: str, region: str, listed: Sequence[Listed]) -> None:
    """Put the list of an account and region in the place of the one before, in one transaction.

    Who was erased is kept under the token, and where recipients are hashed so is everybody.
    """
    rows = [
        {
            "account": account,
            "region": region,
            "recipient": warehouse.hide(one.recipient),
            "reason": one.reason,
            "updated_at": one.updated_at.replace(tzinfo=None),
        }
        for one in listed
    ]
    table = pa.Table.from_pylist(rows, _FIELDS)

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(
            "delete from ses_suppressions where account = ? and region = ?", [account, region]
        )
        connection.register("listed", table)
        try:
            connection.execute("insert into ses_suppressions by name select * from listed")
        finally:
            connection.unregister("listed")

    warehouse.change("keeping SES's suppression list", work)
