"""The disk under the warehouse, noted in it now and then: views can't ask for what is free."""

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from consumer.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb

KEPT: Final = timedelta(days=90)


class DiskLook(NamedTuple):
    """What a look at the disk found, in bytes; ``looked_at`` is UTC without a zone."""

    looked_at: datetime
    free_bytes: int
    total_bytes: int
    floor_bytes: int
    file_bytes: int


def look_at_disk(warehouse: Warehouse) -> DiskLook:
    """Measure the file system of the warehouse's folder, and the file with its log."""
    usage = shutil.disk_usage(warehouse.path.parent)
    return DiskLook(
        datetime.now(UTC).replace(tzinfo=None),
        usage.free,
        usage.total,
        warehouse.options.min_free_bytes,
        sum(file.stat().st_size for file in (warehouse.path, warehouse.place.wal) if file.exists()),
    )


def note_disk(warehouse: Warehouse, look: DiskLook) -> None:
    """Keep a look, and none that is older than `KEPT`.

    Raises `WarehouseFull` where there is no room for even that.
    """

    def put(connection: "duckdb.DuckDBPyConnection") -> None:
        connection.execute("delete from disk_looks where looked_at < ?", [look.looked_at - KEPT])
        connection.execute("insert into disk_looks values (?, ?, ?, ?, ?)", list(look))

    warehouse.change("noting what the disk has free", put)
