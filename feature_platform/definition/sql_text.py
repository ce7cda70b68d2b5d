"""Parses a query with sqlglot and says where in the YAML file a part of it is.

The dialect knows no functions at all, so that each call keeps the name it was written with.
"""

import re

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.parser import Parser as BaseParser
from sqlglot.tokens import Tokenizer as BaseTokenizer

from feature_platform.definition.problems import Problems, did_you_mean
from feature_platform.definition.yaml_tree import Scalar, Spot

SQL_CHARACTERS_MAX = 65_536
_CALL = re.compile(r"(\w+)\s*\(\s*(?:\w+\s+(?:FROM\s+)?)?$", re.IGNORECASE)
_KEYWORDS: dict[type[exp.Expr], str] = {
    exp.Select: "SELECT",
    exp.With: "WITH",
    exp.Group: "GROUP",
    exp.Having: "HAVING",
    exp.Order: "ORDER",
    exp.Limit: "LIMIT",
    exp.Case: "CASE",
    exp.Cast: "CAST",
    exp.Exists: "EXISTS",
    exp.Interval: "INTERVAL",
    exp.Not: "NOT",
}
"""Words before the first part that sqlglot knows the place of."""
_WORDS = ("SELECT", "FROM", "WHERE", "GROUP", "BY", "FILTER", "AS", "AND", "WITH", "CASE", "END")
_QUOTED = frozenset({TokenType.STRING, TokenType.IDENTIFIER})
_STRANGE = re.compile(r"[@?:{}]|\$.*")
"""Parameters and templates; sqlglot takes some of them for names."""
_WINDOWS = re.compile(r"\b(TUMBLE|HOP|SESSION|CUMULATE)\s*\(", re.IGNORECASE)
_TOKEN = re.compile(r"<Token token_type: [\w.]+, text: (.*?), line: .*?>")


class DefinitionDialect(Dialect):
    """Plain SQL; identifiers may be quoted with `"` or a backtick."""

    class Tokenizer(BaseTokenizer):
        """Adds the backtick."""

        IDENTIFIERS = ['"', "`"]  # noqa: RUF012 - sqlglot's own way of configuring

    class Parser(BaseParser):
        """Leaves calls as they are written."""

        FUNCTIONS = {}  # noqa: RUF012 - sqlglot's own way of configuring


class SqlText:
    """The text of one query, and where its offsets are in the file."""

    def __init__(self, scalar: Scalar, problems: Problems) -> None:
        """Keep the text with its place."""
        self.scalar = scalar
        self.text = scalar.text
        self.problems = problems

    def at(self, offset: int) -> Spot:
        """Return the place in the file of an offset in the text."""
        line = self.text.count("\n", 0, offset) + 1
        column = offset - self.text.rfind("\n", 0, offset)
        return self.scalar.spot(line, column)

    def spot(self, node: exp.Expr) -> Spot:
        """Return the place in the file where a part of the query starts."""
        current: exp.Expr | None = node
        while current is not None:
            offset = self.offset(current)
            if offset is not None:
                return self.at(offset)
            current = current.parent
        return self.at(0)

    def refuse(self, node: exp.Expr, message: str) -> None:
        """Report a mistake at a part of the query."""
        self.problems.add(self.spot(node), message)

    def called(self, node: exp.Expr) -> str:
        """Return the name that a call was written with, in capitals."""
        if isinstance(node, exp.Anonymous):
            return str(node.this).upper()
        if not isinstance(node, exp.Func) or isinstance(node, exp.Binary):
            return ""
        before = _CALL.search(self.text, 0, self._first(node) or 0)
        return before[1].upper() if before else ""

    def offset(self, node: exp.Expr) -> int | None:
        """Return where in the text a node starts, if sqlglot knows of any part of it."""
        columns = node.expressions if isinstance(node, exp.Select) else ()
        first = self._first(columns[0] if columns else node)
        keyword = _KEYWORDS.get(type(node)) or self.called(node)
        if first is None or not keyword or isinstance(node, exp.Anonymous):
            return first
        words = list(re.finditer(rf"\b{keyword}\b", self.text[:first], re.IGNORECASE))
        return words[-1].start() if words else first

    @staticmethod
    def _first(node: exp.Expr) -> int | None:
        starts = [child.meta["start"] for child in node.walk() if "start" in child.meta]
        return min(starts, default=None)

    def parse(self) -> exp.Expr | None:
        """Return the one statement of the text; what is wrong with its form is reported."""
        if self.scalar.style == ">":
            msg = "write the query after `sql: |`; with `>` YAML joins its lines"
            self.problems.add(self.scalar, msg)
            return None
        if len(self.text) > SQL_CHARACTERS_MAX:
            msg = f"the query has {len(self.text)} characters; the limit is {SQL_CHARACTERS_MAX}"
            self.problems.add(self.scalar, msg)
            return None
        statements = self._statements()
        if len(statements) > 1:
            msg = "a second statement starts here; a feature set has one SELECT"
            self.refuse(statements[1], msg)
        return statements[0] if len(statements) == 1 else None

    def _statements(self) -> list[exp.Expr]:
        try:
            for token in sqlglot.tokenize(self.text, dialect=DefinitionDialect):
                if _STRANGE.fullmatch(token.text) and token.token_type not in _QUOTED:
                    msg = (
                        f"`{token.text}` is not supported: parameters and templates are not "
                        "substituted"
                    )
                    self.problems.add(self.at(token.start), f"{msg}; write the value")
                    return []
            found = [node for node in sqlglot.parse(self.text, dialect=DefinitionDialect) if node]
        except ParseError as error:
            self._explain(error)
            return []
        except TokenError:
            msg = "the query ends inside a quote or comment; close it"
            self.problems.add(self.at(self._unclosed()), msg)
            return []
        if not found:
            self.problems.add(self.at(0), "the query is empty; write SELECT ... GROUP BY entity")
        return found

    def _explain(self, error: ParseError) -> None:
        first = error.errors[0]
        token = str(first["highlight"] or "")
        line = int(first["line"] or 1)
        column = max(1, int(first["col"] or 1) - max(len(token) - 1, 0))
        what = _TOKEN.sub(r"`\1`", str(first["description"])).replace("`SENTINEL`", "the end")
        if what.startswith("Required keyword"):
            what = "something is missing"
        near = f" at `{token}`" if token else ""
        known = token.upper() in _WORDS or not token.isalpha()
        hint = "" if known else did_you_mean(token, _WORDS)
        advice = hint or "; check commas, brackets and keywords before it"
        msg = f"not SQL{near}: {what.rstrip('.').lower()}{advice}"
        if _WINDOWS.search(self.text):
            msg = f"{msg} (windows are not part of the query; define them under `features:`)"
        self.problems.add(self.scalar.spot(line, column), msg)

    def _unclosed(self) -> int:
        """Return where the quote or comment that is never closed starts."""
        opening = re.compile(
            r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|(?P<open>/\*|['\"`])", re.DOTALL
        )
        opened = (match.start() for match in opening.finditer(self.text) if match["open"])
        return next(opened, 0)
