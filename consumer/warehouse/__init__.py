"""The only room that knows DuckDB: the file, its schema, the write path, reading."""

from consumer.warehouse.connection import WarehouseOptions
from consumer.warehouse.recovery.opening import Recovery, open_warehouse
from consumer.warehouse.warehouse import Warehouse
from consumer.warehouse.writing.write import WriteResult

__all__ = ["Recovery", "Warehouse", "WarehouseOptions", "WriteResult", "open_warehouse"]
