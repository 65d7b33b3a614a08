"""From PostgreSQL's SQL to DuckDB's, where names and signs differ; texts stay as they are.

| PostgreSQL | becomes |
|---|---|
| ``pg_catalog.pg_class``, ``pg_catalog.f(…)`` | ``pg_class``, ``f(…)``: first in the search path |
| ``information_schema.tables`` | ``info.tables`` |
| ``duckpost.public.v`` | ``public.v`` |
| ``a operator(pg_catalog.~) b`` | ``a ~ b`` |
| ``collate "default"`` | nothing |
| ``'{a,b}'::text[]`` | ``['a', 'b']::text[]`` |
| ``'events'::regclass``, ``cast(…)`` | ``to_regclass('events')``; the same for ``regtype`` … |
| ``json_build_object(…)`` | ``json_object(…)`` |
| ``current_user``, ``current_schema`` | their values |
| ``$1`` | the parameter's value |
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from consumer.endpoint.sqlstate import Refusal
from consumer.endpoint.statements.tokens import Token, to_literal
from consumer.endpoint.types.known import BadValue
from consumer.endpoint.types.values import parse_array

DATABASE: Final = "duckpost"
_REG: Final = frozenset({"regclass", "regtype", "regproc", "regprocedure", "regnamespace"})
_SAME: Final = {"json_build_object": "json_object", "json_build_array": "json_array"}
_SCHEMAS: Final = frozenset({"public", "my", "pg_catalog", "information_schema"})


@dataclass(slots=True)
class Rewritten:
    """SQL for DuckDB, and where each piece of it came from."""

    pieces: list[tuple[str, int]] = field(default_factory=list)

    @property
    def sql(self) -> str:
        """The text."""
        return "".join(text for text, _ in self.pieces)

    def find(self, at_bytes: int) -> int:
        """The index in the original that a place in the new text, in bytes, came from."""
        passed = 0
        for text, at in self.pieces:
            size = len(text.encode())
            if at_bytes < passed + size:
                inside = len(text.encode()[: at_bytes - passed].decode(errors="ignore"))
                return at + inside
            passed += size
        return self.pieces[-1][1] if self.pieces else 0


def rewrite(
    tokens: Sequence[Token],
    *,
    user: str,
    to_parameter: Callable[[int], str] = lambda number: f"${number}",
) -> Rewritten:
    """Rewrite one statement.

    Args:
        tokens: the statement's.
        user: who asks.
        to_parameter: gives the SQL for a parameter by its number.
    """
    return _Rewriting(tokens, user, to_parameter).run()


class _Rewriting:
    def __init__(
        self, tokens: Sequence[Token], user: str, to_parameter: Callable[[int], str]
    ) -> None:
        self._tokens = tokens
        self._user = user
        self._to_parameter = to_parameter
        self._done = Rewritten()
        self._at = 0

    def run(self) -> Rewritten:
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind in ("word", "quoted"):
                self._name(token)
            elif token.kind == "parameter":
                self._put(self._to_parameter(int(token.text[1:])), token)
            elif token.text == "::":
                self._cast(token)
            elif token.text == "/" and self._divides_version():
                self._put("//", token)
            else:
                self._put(token.text, token)
            self._at += 1
        return self._done

    def _name(self, token: Token) -> None:
        word = token.word
        follows = self._peek(1)
        if word in _SCHEMAS or word == DATABASE:
            if follows == ".":
                self._qualifier(token)
                return
        elif token.kind == "word":
            is_alone = follows != "." and self._peek(-1) != "."
            if word == "cast" and follows == "(" and self._lookup():
                return
            if word == "operator" and follows == "(":
                self._operator(token)
                return
            if word == "collate" and self._skip_default_collation():
                return
            if word in _SAME and follows == "(":
                self._put(_SAME[word], token)
                return
            if word in ("current_user", "session_user", "current_role") and is_alone:
                self._put(to_literal(self._user), token)
                return
            if word in ("current_schema", "current_catalog") and is_alone and follows != "(":
                self._put(to_literal("public" if word == "current_schema" else DATABASE), token)
                return
        self._put(token.text, token)

    def _qualifier(self, token: Token) -> None:
        """Leave out what need not be said, so that our own names are found first."""
        word = token.word
        if word in ("public", "my") or (word == DATABASE and self._after(2).word not in _SCHEMAS):
            self._put(token.text, token)
            return
        if word == "information_schema":
            self._put("info", token)
            return
        self._advance()  # to the dot, which is left out with the name

    def _operator(self, token: Token) -> None:
        """``operator ( [schema .] sign )``: the sign alone."""
        at, sign = self._at, ""
        while at < len(self._tokens) and self._tokens[at].text != ")":
            if self._tokens[at].kind == "sign" and self._tokens[at].text not in "(.":
                sign = self._tokens[at].text
            at += 1
        self._at = at
        self._put(f" {sign} ", token)

    def _lookup(self) -> bool:
        """``cast(x as regclass)``: a look-up by name, unless ``x`` is a number already."""
        depth, end = 0, None
        for at in range(self._at + 1, len(self._tokens)):
            depth += (self._tokens[at].text == "(") - (self._tokens[at].text == ")")
            if depth == 0 and self._tokens[at].kind != "space":
                end = at
                break
        if end is None:
            return False
        inner = self._tokens[self._at + 1 : end]
        said = [(at, one) for at, one in enumerate(inner) if one.kind != "space"]
        kind = said[-1][1].word if said else ""
        ends = -4 if len(said) > 3 and said[-2][1].text == "." else -2  # noqa: PLR2004 - `as s . t`
        if kind not in _REG or len(said) < -ends or said[ends][1].word != "as":
            return False
        token = self._tokens[self._at]
        self._put(f"to_{_to_function(kind)}((", token)
        operand = inner[said[0][0] + 1 : said[ends][0]]
        self._done.pieces += rewrite(
            operand, user=self._user, to_parameter=self._to_parameter
        ).pieces
        self._put(")::varchar)", token)
        self._at = end
        return True

    def _skip_default_collation(self) -> bool:
        rest = [one for one in self._tokens[self._at + 1 :] if one.kind != "space"][:3]
        words = [one.word for one in rest]
        if words[:1] == ["default"]:
            self._advance()
        elif words[:1] == ["pg_catalog"] and words[2:] == ["default"]:
            for _ in range(3):
                self._advance()
        else:
            return False
        return True

    def _cast(self, token: Token) -> None:
        """A text cast to a name's number is looked up; other casts stay."""
        type_ = self._after(1)
        if type_.word == "pg_catalog" and self._peek(2) == ".":
            type_ = self._after(3)
        pieces = self._done.pieces
        before = next((at for at in reversed(range(len(pieces))) if pieces[at][0].strip()), None)
        if before is not None and pieces[before][0].startswith("'{") and self._peek(2) == "[":
            # a list, as PostgreSQL writes it
            text, at = pieces[before]
            pieces[before] = (_to_list(text), at)
        if (
            type_.word in _REG
            and before is not None
            and pieces[before][0].startswith("'")
            and not pieces[before][0][1:-1].isdigit()
        ):
            text, at = pieces[before]
            pieces[before] = (f"to_{_to_function(type_.word)}({text})", at)
            while self._tokens[self._at] is not type_:
                self._at += 1
            return
        self._put(token.text, token)

    def _divides_version(self) -> bool:
        """Grafana asks ``current_setting('server_version_num')::int/100`` for a whole number."""
        before = [self._after(-count).text.lower() for count in (6, 5, 4, 3, 2, 1)]
        return before == ["current_setting", "(", "'server_version_num'", ")", "::", "int"]

    def _put(self, text: str, token: Token) -> None:
        self._done.pieces.append((text, token.at))

    def _advance(self) -> None:
        """Step on to the next piece that is no space."""
        self._at += 1
        while self._at < len(self._tokens) - 1 and self._tokens[self._at].kind == "space":
            self._at += 1

    def _after(self, count: int) -> Token:
        """The ``count``-th piece from here that is no space, backwards for a negative one."""
        step, at = (1 if count > 0 else -1), self._at
        for _ in range(abs(count)):
            at += step
            while 0 <= at < len(self._tokens) and self._tokens[at].kind == "space":
                at += step
        if 0 <= at < len(self._tokens):
            return self._tokens[at]
        return Token("space", "", len(self._tokens))

    def _peek(self, count: int) -> str:
        return self._after(count).text


def _to_function(kind: str) -> str:
    return "regproc" if kind == "regprocedure" else kind


def _to_list(text: str) -> str:
    try:
        items = parse_array(text[1:-1].replace("''", "'"))
    except BadValue as error:
        raise Refusal("22P02", f"malformed array literal: {error}") from error
    return "[" + ", ".join("null" if item is None else to_literal(item) for item in items) + "]"
