"""Values of a result as text: SQL that gives what PostgreSQL would write."""

from consumer.endpoint.types.known import to_result_type
from consumer.warehouse.reader import ColumnType


def to_text_sql(value: str, found: ColumnType) -> str:
    """SQL for the text that PostgreSQL would write for ``value``, an expression of that type."""
    result = to_result_type(found)
    if result.is_array:
        assert found.item is not None  # noqa: S101 - as `to_result_type` found
        item = f"replace(replace({scalar_text_sql('e', found.item)}, '\\', '\\\\'), '\"', '\\\"')"
        items = (
            f"list_transform({value}, lambda e: case when e is null then 'NULL' "
            f"else '\"' || {item} || '\"' end)"
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
            return f"case when {value} then 't' else 'f' end"
        case "float" | "double":
            return (
                f"case when isfinite({value}) then {text} when isnan({value}) then 'NaN' "
                f"when {value} > 0 then 'Infinity' else '-Infinity' end"
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
