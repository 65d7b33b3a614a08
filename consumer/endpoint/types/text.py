"""Values of a result as text: SQL that gives what PostgreSQL would write."""

from typing import Final

from consumer.endpoint.types.known import to_result_type, to_scalar
from consumer.warehouse.reading.reader import ColumnType

# What has no sign in it that an array would need quotes for.
_BARE: Final = frozenset(
    """
    bool int2 int4 int8 oid float4 float8 numeric date time uuid
    """.split()  # noqa: SIM905 - a list of words
)


def to_text_sql(value: str, found: ColumnType) -> str:
    """SQL for the text that PostgreSQL would write for ``value``, an expression of that type."""
    result = to_result_type(found)
    if result.is_array:
        assert found.item is not None  # noqa: S101 - as `to_result_type` found
        items = (
            f"list_transform({value}, lambda e: case when e is null then 'NULL' "
            f"else {_item_text_sql('e', found.item)} end)"
        )
        return f"('{{' || coalesce(array_to_string({items}, ','), '') || '}}')"
    return scalar_text_sql(value, found)


def scalar_text_sql(value: str, found: ColumnType) -> str:
    """The same for what is no list."""
    text = f"{value}::varchar"
    match found.kind:
        case "varchar":
            return value
        case "boolean":
            return f"case {value} when true then 't' when false then 'f' end"
        case "float" | "double":
            # most have a fraction: what needs no pattern is not given to one
            return (
                f"case when {value} <> trunc({value}) and abs({value}) < 1e15 then {text} "
                f"when isfinite({value}) then regexp_replace({text}, '\\.0$', '') "
                f"when isnan({value}) then 'NaN' when {value} > 0 then 'Infinity' "
                f"when {value} < 0 then '-Infinity' end"
            )
        case "blob":
            return f"'\\x' || lower(hex({value}))"
        case "date" | "timestamp":
            return f"replace({text}, ' (BC)', ' BC')"
        case "interval":
            return f"replace({text}, 'month', 'mon')"
        case "map" | "struct" | "union" | "list" | "array":
            return f"to_json({value})::varchar"
        case _:
            return text


def _item_text_sql(value: str, found: ColumnType) -> str:
    """An item of an array, in quotes where PostgreSQL has them."""
    text = scalar_text_sql(value, found)
    if to_scalar(found).name in _BARE:
        return text
    escaped = f"replace(replace({text}, '\\', '\\\\'), '\"', '\\\"')"
    special = rf"regexp_replace({text}, '[{{}},\"\\\s]', '') <> {text}"
    return (
        f"case when {special} or lower({text}) in ('', 'null') then '\"' || {escaped} || '\"' "
        f"else {text} end"
    )
