"""What a statement is, by its first words: to be read, to be answered here, or to be refused."""

from collections.abc import Sequence
from typing import Final

from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.statements.copying import parse_copy
from consumer.endpoint.statements.kinds import (
    Begin,
    CloseCursor,
    Deallocate,
    Declare,
    Discard,
    End,
    Explain,
    Fetch,
    Nothing,
    Read,
    Savepoint,
    Set,
    Show,
    Statement,
)
from consumer.endpoint.statements.tokens import Token, meaningful, split_statements

MOST_CHARACTERS: Final = 256 * 1024

_READING: Final = frozenset({"select", "with", "values", "table", "from", "("})
_WRITING: Final = frozenset(
    """
    alter analyze attach call checkpoint cluster comment copy create delete detach do drop execute
    export grant import insert install load lock merge pivot pragma prepare reassign refresh reindex
    replace revoke security summarize describe truncate unpivot update use vacuum
    """.split()  # noqa: SIM905 - a list of words
)


def classify(sql: str) -> Statement | None:
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
    return _parse(statements[0])


def _parse(tokens: Sequence[Token]) -> Statement:
    said = meaningful(tokens)
    words = [token.word or token.text for token in said]
    first = words[0]
    if first in _READING:
        return Read(tokens)
    match first:
        case "explain":
            return _parse_explain(tokens, said)
        case "copy":
            return parse_copy(tokens, said)
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
