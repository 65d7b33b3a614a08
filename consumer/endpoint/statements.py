"""What a statement is, by its first words: to be read, to be answered here, or to be refused."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.tokens import Token, meaningful, split_statements

MOST_CHARACTERS: Final = 256 * 1024

_READING: Final = frozenset({"select", "with", "values", "table", "from", "("})
_WRITING: Final = frozenset(
    """
    alter analyze attach call checkpoint cluster comment copy create delete detach do drop execute
    export grant import insert install load lock merge pivot pragma prepare reassign refresh reindex
    replace revoke security summarize describe truncate unpivot update use vacuum
    """.split()  # noqa: SIM905 - a list of words
)


@dataclass(frozen=True, slots=True)
class Read:
    """A query; its rows go to the client."""

    tokens: Sequence[Token]


@dataclass(frozen=True, slots=True)
class Explain:
    """A query whose plan is asked for; ``is_run`` where it is run as well."""

    tokens: Sequence[Token]
    is_run: bool


@dataclass(frozen=True, slots=True)
class Copy:
    """A query whose rows are wanted as lines.

    Attributes:
        tokens: the query's.
        format: ``text`` or ``csv``.
        has_header: whether a line with the names comes first.
        delimiter: between values.
        null: what stands for NULL.
    """

    tokens: Sequence[Token]
    format: str = "text"
    has_header: bool = False
    delimiter: str = "\t"
    null: str = "\\N"


@dataclass(frozen=True, slots=True)
class Declare:
    """A cursor to fetch from."""

    name: str
    tokens: Sequence[Token]


@dataclass(frozen=True, slots=True)
class Fetch:
    """Some rows of a cursor; None for all that are left."""

    name: str
    count: int | None


@dataclass(frozen=True, slots=True)
class CloseCursor:
    """The end of a cursor, of all of them for None."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Begin:
    """The start of a transaction."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of a transaction; ``tag`` is what PostgreSQL calls it."""

    tag: str


@dataclass(frozen=True, slots=True)
class Savepoint:
    """SAVEPOINT, RELEASE or ROLLBACK TO, by ``tag``: nothing was written that could be undone."""

    tag: str


@dataclass(frozen=True, slots=True)
class Set:
    """A setting of the session; None for its default."""

    name: str
    value: str | None
    tag: str = "SET"


@dataclass(frozen=True, slots=True)
class Show:
    """The value of a setting, of all of them for ``all``."""

    name: str


@dataclass(frozen=True, slots=True)
class Deallocate:
    """The end of a prepared statement, of all of them for None."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Discard:
    """Everything of the session anew."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Something that needs an answer and no more; ``tag`` is the answer."""

    tag: str


Statement = (
    Read | Explain | Copy | Declare | Fetch | CloseCursor | Begin | End | Savepoint | Set | Show
    | Deallocate | Discard | Nothing
)  # fmt: skip


def parse_statement(sql: str) -> Statement | None:
    """Say what ``sql`` is; None for nothing but spaces and comments.

    Raises `Refusal` for more than one statement, and for one that would do more than read.
    """
    if len(sql) > MOST_CHARACTERS:
        raise Refusal("54000", f"a statement may have {MOST_CHARACTERS} characters at most")
    statements = split_statements(sql)
    if not statements:
        return None
    if len(statements) > 1:
        raise Refusal("42601", "cannot insert multiple commands into one query string")
    return _classify(statements[0])


def _classify(tokens: Sequence[Token]) -> Statement:
    said = meaningful(tokens)
    words = [token.word or token.text for token in said]
    first = words[0]
    if first in _READING:
        return Read(tokens)
    match first:
        case "explain":
            return _parse_explain(tokens, said)
        case "copy":
            return _parse_copy(tokens, said)
        case "declare":
            return _parse_declare(tokens, said)
        case "fetch":
            return _parse_fetch(words)
        case "close":
            return CloseCursor(None if words[1:] == ["all"] else "".join(words[1:2]))
        case "begin" | "start":
            return Begin()
        case "commit" | "end":
            return End("COMMIT")
        case "rollback" | "abort":
            return Savepoint("ROLLBACK") if "to" in words else End("ROLLBACK")
        case "savepoint" | "release":
            return Savepoint(first.upper())
        case "set" | "reset":
            return _parse_set(said, words)
        case "show":
            return Show(_join_name(words[1:]))
        case "deallocate":
            name = words[-1]
            return Deallocate(None if name == "all" else name)
        case "discard":
            return Discard()
        case "unlisten":
            return Nothing("UNLISTEN")
    if first in _WRITING:
        shown = (
            " ".join(words[:2]).upper() if first in ("drop", "create", "alter") else first.upper()
        )
        raise Refusal("25006", f"cannot execute {shown}: this endpoint only reads")
    refusal = Refusal("42601", f'syntax error at or near "{said[0].text}"')
    refusal.index = said[0].at
    raise refusal


def _parse_explain(tokens: Sequence[Token], said: Sequence[Token]) -> Explain:
    is_run, at = False, 1
    if (
        at < len(said)
        and said[at].text == "("
        and said[at + 1 : at + 2]
        and (
            said[at + 1].word
            in ("analyze", "costs", "verbose", "format", "buffers", "timing", "summary")
        )
    ):
        while said[at].text != ")":
            is_run = is_run or said[at].word == "analyze"
            at += 1
            if at == len(said):
                raise Refusal("42601", "syntax error at end of input")
        at += 1
    while at < len(said) and said[at].word in ("analyze", "verbose"):
        is_run = is_run or said[at].word == "analyze"
        at += 1
    if at == len(said) or (said[at].word or said[at].text) not in _READING:
        raise Refusal("25006", "only what reads can be explained here")
    return Explain([token for token in tokens if token.at >= said[at].at], is_run)


_COPY_OPTIONS: Final = re.compile(
    r"(?P<name>format|header|delimiter|null|csv|text|encoding)\b\s*(?:as\b\s*)?"
    r"(?:(?P<quoted>[eE]?'(?:[^']|'')*')|(?P<word>(?!header\b|delimiter\b|null\b)\w+))?",
    re.IGNORECASE,
)


def _parse_copy(tokens: Sequence[Token], said: Sequence[Token]) -> Copy:
    """``COPY (query) TO STDOUT [options]`` or ``COPY view TO STDOUT``; to files never."""
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


def _parse_declare(tokens: Sequence[Token], said: Sequence[Token]) -> Declare:
    begins = next((at for at, token in enumerate(said) if token.word == "for"), None)
    if (
        begins is None
        or begins + 1 >= len(said)
        or "cursor" not in [one.word for one in said[:begins]]
    ):
        raise Refusal("42601", "syntax error in DECLARE: expected DECLARE name CURSOR FOR query")
    query = [token for token in tokens if token.at >= said[begins + 1].at]
    if (said[begins + 1].word or said[begins + 1].text) not in _READING:
        raise Refusal("25006", "a cursor is for what reads")
    return Declare(said[1].word, query)


def _parse_fetch(words: Sequence[str]) -> Fetch:
    """``FETCH [FORWARD | NEXT] [n | ALL] [FROM | IN] name``: forward alone."""
    *how, name = words[1:] or [""]
    count: int | None = 1
    for word in how:
        if word.isdigit():
            count = int(word)
        elif word == "all":
            count = None
        elif word not in ("forward", "next", "from", "in"):
            raise Refusal("55000", "cursor can only scan forward")
    return Fetch(name, count)


def _parse_set(said: Sequence[Token], words: Sequence[str]) -> Set:
    if words[0] == "reset":
        return Set(_join_name(words[1:]), None, "RESET")
    rest = list(words[1:])
    texts = [token.text for token in said][1:]
    if rest[:1] in (["session"], ["local"]) and rest[1:2] != ["authorization"]:
        rest, texts = rest[1:], texts[1:]
    if rest[:1] == ["characteristics"] or rest[:1] == ["transaction"]:
        return Set("transaction", " ".join(rest))
    if rest[:2] == ["time", "zone"]:
        rest, texts = ["timezone", "to", *rest[2:]], ["timezone", "to", *texts[2:]]
    if rest[:1] == ["names"]:
        rest, texts = ["client_encoding", "to", *rest[1:]], ["client_encoding", "to", *texts[1:]]
    ends = next((at for at, word in enumerate(rest) if word in ("=", "to")), None)
    if ends is None:
        raise Refusal("42601", "syntax error in SET")
    value = "".join(text[1:-1] if text[:1] in "'\"" else text for text in texts[ends + 1 :])
    return Set(_join_name(rest[:ends]), None if value.lower() == "default" else value)


def _join_name(words: Sequence[str]) -> str:
    """``TRANSACTION ISOLATION LEVEL`` and ``TIME ZONE`` are names of two and three words."""
    name = "_".join(words).replace("_._", ".").lower()
    return {"time_zone": "timezone", "transaction_isolation_level": "transaction_isolation"}.get(
        name, name
    )
