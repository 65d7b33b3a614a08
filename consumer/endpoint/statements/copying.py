"""COPY, which is for taking rows out over the connection, and its options."""

import re
from collections.abc import Sequence
from typing import Final

from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.statements.kinds import Copy
from consumer.endpoint.statements.tokens import Token, split_statements

_COPY_OPTIONS: Final = re.compile(
    r"(?P<name>format|header|delimiter|null|csv|text|encoding)\b\s*(?:as\b\s*)?"
    r"(?:(?P<quoted>[eE]?'(?:[^']|'')*')|(?P<word>(?!header\b|delimiter\b|null\b)\w+))?",
    re.IGNORECASE,
)


def parse_copy(tokens: Sequence[Token], said: Sequence[Token]) -> Copy:
    """``COPY (query) TO STDOUT [options]`` or ``COPY view TO STDOUT``; to files never.

    Raises `Refusal`.
    """
    depth, end = 0, None
    for at, token in enumerate(said):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.word in ("to", "from") and token.kind == "word":
            end = at
            break
    if end is None or end + 1 >= len(said):
        raise Refusal("42601", "syntax error in COPY: expected COPY (query) TO STDOUT")
    if said[end].word == "from":
        raise Refusal("25006", "cannot execute COPY FROM: this endpoint only reads")
    if said[end + 1].word != "stdout":
        raise Refusal("42501", "COPY goes to STDOUT alone here: no file is written or read")
    query = [token for token in tokens if said[1].at <= token.at < said[end].at]
    if said[1].text != "(":
        # a view's name, perhaps with columns
        body = "".join(token.text for token in query).strip()
        name, _, columns = body.partition("(")
        chosen = columns.rpartition(")")[0] or "*"
        query = list(_tokens_of(f"select {chosen} from {name}"))
    options = "".join(token.text for token in tokens if token.at > said[end + 1].at)
    return _with_options(Copy(query), options)


def _tokens_of(sql: str) -> Sequence[Token]:
    statements = split_statements(sql)
    return statements[0] if len(statements) == 1 else []


def _with_options(copy: Copy, options: str) -> Copy:
    form, header, delimiter, null = "text", False, None, None
    for found in _COPY_OPTIONS.finditer(options):
        name = found["name"].lower()
        value = found["word"] or ""
        if found["quoted"]:
            value = found["quoted"].lstrip("eE")[1:-1].replace("''", "'").replace("\\t", "\t")
        if name in ("csv", "text"):
            form = name
        elif name == "format":
            form = value.lower()
        elif name == "header":
            header = value.lower() not in ("false", "off", "0")
        elif name == "delimiter":
            delimiter = value
        elif name == "null":
            null = value
    if form not in ("text", "csv"):
        raise Refusal("0A000", f"COPY format {form!r} is not supported here; text and csv are")
    is_csv = form == "csv"
    return Copy(
        copy.tokens,
        format=form,
        has_header=header,
        delimiter=delimiter or ("," if is_csv else "\t"),
        null=null if null is not None else ("" if is_csv else "\\N"),
    )
