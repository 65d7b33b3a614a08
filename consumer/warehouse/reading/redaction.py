"""What a role that may not see addresses gets of each column: a closed list, by column name.

Numbers, instants, truth values and keys pass: no address fits into them. A column of text that
this list does not name comes as NULL, so that a new one gives nothing away until it is decided.
Whoever asks sees the redacted column alone: filters and functions never touch what is under it.
"""

from collections.abc import Iterable
from typing import Final

from consumer.warehouse.reading.published import PublishedColumn, quote

KEY_RELATION: Final = "own.redaction_key"

# A mailbox's own name: always its token and its domain.
_ADDRESSES: Final = frozenset({"recipient"})
# Names of things, which may be or hold an address (an identity, a tag's value): then a token.
_NAMES: Final = frozenset(
    """
    account action archive_file attempt authority axis bounce_class bounce_kind bounce_maturity
    bounce_rule bounce_sub_type bounce_type caller_identity column_name complaint_feedback_type
    complaint_kind
    complaint_sub_type configuration_set configuration_set_label configuration_set_name
    contact_list data_type delay_type denominator denominator_basis description
    diagnostic_pattern dimension
    dimension_group domain enforcement_status event_type expression feedback_id from_domain
    identity identity_account
    identity_name identity_without_set ip_prefix is_bot_event judged_by kind last_message_id
    machine_rule
    measure message_id metric
    missing_event_types name new_preferences note numerator old_preferences operation origin
    outgoing_ip outgoing_tls_version own_identity paired_event_type part position provider reason
    recipient_domain
    region reject_reason remote_mta_ip reporting_mta review_status rule
    sisimai_reasons source source_ip source_tls_version sparkpost_codes state status_pattern
    subscription_source tag_key tag_value template template_name tenant user_agent
    user_agent_pattern verdict view_name what_changed
    """.split()  # noqa: SIM905 - a list of words
)
# What receivers write: nothing of it but its codes, as the rest often quotes the address.
_REPLIES: Final = frozenset({"diagnostic_code", "response", "smtp_response", "status"})
_LINKS: Final = frozenset({"link"})
_TOKENS: Final = frozenset({"ip", "sha256", "last_sha256"})
_PAIRS: Final = frozenset({"tags"})
_NAME_LISTS: Final = frozenset({"accounts", "dimension_groups", "reasons", "regions"})
_COUNTS_BY_NAME: Final = frozenset({"ignored_reasons", "quarantined_reasons"})
# Free text, and what else is better not seen at all.
WITHHELD: Final = frozenset(
    """
    detail error_message last_detail link_tags payload place recipient_as_written subject value
    """.split()  # noqa: SIM905 - a list of words
)

_SAFE_TYPES: Final = (
    "BIGINT", "BOOLEAN", "DATE", "DECIMAL", "DOUBLE", "FLOAT", "HUGEINT", "INTEGER", "INTERVAL",
    "SMALLINT", "TIME", "TIMESTAMP", "TINYINT", "UBIGINT", "UHUGEINT", "UINTEGER", "USMALLINT",
    "UTINYINT", "UUID",
)  # fmt: skip

# Each takes what is there, and the key. That comes from a table, by a join of its one row: as a
# constant it would show in plans. A pattern is met by what `regexp_replace` leaves, as DuckDB
# compiles those of `regexp_matches` and `regexp_extract` anew whenever a statement is planned, for
# every column that a relation has, asked for or not.
KEY: Final = "redaction_key.secret"
MACROS: Final = r"""
create macro own.token(written, secret) as substr(sha256(secret || lower(written)), 1, 16);
create macro own.masked(written, secret) as case
    when regexp_replace(written, '^~[0-9a-f]{16,32}@[^@\s]*$', '') = '' then written
    else '~' || own.token(written, secret) || rtrim(
        -- matches whatever is there, so that nothing else of it is left
        regexp_replace(written, '(?s)^(?:.*@\s*([A-Za-z0-9.-]*))?.*$', '@\1'), '@'
    )
end;
create macro own.named(written, secret) as case
    when regexp_replace(written, '@|%40|=40|\x{FF20}|\x{FE6B}|&#|&commat', '') <> written
        then own.masked(written, secret)
    else written
end;
create macro own.coded(written, secret) as nullif(trim(regexp_extract(
    written,
    '^(?:[A-Za-z0-9-]{1,10} *; *)?((?:[245]\d\d\b[ -]?)?(?:[245]\.\d{1,3}\.\d{1,3}\b)?)',
    1
)), '');
create macro own.hosted(written, secret) as 'https://' || nullif(
    regexp_extract(written, '^(?i:https?)://(?:[^/?#@]*@)?([A-Za-z0-9.-]+)(?:[/:?#]|$)', 1), ''
);
create macro own.named_list(items, secret) as list_transform(
    items, lambda item: own.named(item, secret)
);
create macro own.named_values(pairs, secret) as map_from_entries(list_transform(
    map_entries(pairs), lambda pair: {
        'k': own.named(pair.key, secret),
        'v': list_transform(pair.value, lambda item: own.named(item, secret))
    }
));
create macro own.named_counts(counts, secret) as map_from_entries(list_transform(
    map_entries(counts), lambda pair: {'k': own.named(pair.key, secret), 'v': pair.value}
));
"""


def is_decided(name: str, data_type: str) -> bool:
    """Whether this list says what becomes of a column, be it that it passes or is withheld."""
    return name in WITHHELD or redact(name, data_type) is not None


def redact(name: str, data_type: str) -> str | None:
    """The SQL that takes the place of a column; None where nothing of it may be seen."""
    quoted = quote(name)
    if data_type.split("(", 1)[0].split(" ", 1)[0] in _SAFE_TYPES and not data_type.endswith("]"):
        return quoted
    if name in WITHHELD:
        return None
    steps = {
        "VARCHAR": {
            "masked": _ADDRESSES, "named": _NAMES, "coded": _REPLIES, "hosted": _LINKS,
            "token": _TOKENS,
        },
        "VARCHAR[]": {"named_list": _NAME_LISTS},
        "MAP(VARCHAR, VARCHAR[])": {"named_values": _PAIRS},
        "MAP(VARCHAR, BIGINT)": {"named_counts": _COUNTS_BY_NAME},
    }.get(data_type, {})  # fmt: skip
    return next(
        (f"own.{step}({quoted}, {KEY})" for step, names in steps.items() if name in names), None
    )


def to_query(relation: str, columns: Iterable[PublishedColumn], *, is_redacted: bool) -> str:
    """The SELECT of a view over ``relation``, a name as SQL, that shows its columns to a role."""
    selected = []
    for column in columns:
        quoted = quote(column.name)
        shown = redact(column.name, column.data_type) if is_redacted else quoted
        if shown is None:
            # raw bytes are withheld too; what remains to be seen is that there is a column
            shown = f"null::{column.data_type}"
        selected.append(shown if shown == quoted else f"{shown} as {quoted}")
    query = f"select {', '.join(selected)} from {relation}"
    return f"{query} cross join {KEY_RELATION}" if KEY in query else query
