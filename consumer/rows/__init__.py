"""Events as rows: one row per event and recipient, in the columns of the table ``events``."""

from consumer.rows.builder import RowBuilder
from consumer.rows.columns import ROW_SCHEMA

__all__ = ["ROW_SCHEMA", "RowBuilder"]
