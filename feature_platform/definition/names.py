"""What names may look like, and which are taken by the platform."""

import re
from collections.abc import Iterable

from feature_platform.definition.problems import Place, Problems, did_you_mean

NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")
TOPIC = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,200}")
RESERVED = frozenset(
    {
        "all", "and", "any", "as", "avg", "between", "both", "by", "case", "cast", "count",
        "cross", "current", "distinct", "else", "end", "except", "exists", "false", "filter",
        "first_value", "from", "full", "group", "having", "in", "inner", "intersect", "is",
        "join", "last_n", "last_value", "left", "like", "limit", "max", "min", "not", "null",
        "on", "or", "order", "outer", "over", "right", "select", "sum", "table", "then",
        "timestamp", "true", "union", "using", "values", "when", "where", "with",
    }
)  # fmt: skip
"""Words of SQL that may not name a source, a feature set or a feature."""


def check_name(name: str, what: str, place: Place, problems: Problems) -> bool:
    """Return whether a source, feature set or feature may have this name; if not, say why."""
    if name.startswith("_"):
        reason = "names starting with `_` are reserved for the platform; choose another"
    elif not NAME.fullmatch(name):
        reason = (
            "use lower-case letters, digits and `_`, starting with a letter, at most 48 characters"
        )
    elif name in RESERVED:
        reason = f"`{name}` is a SQL keyword; choose another name, such as `{name}_`"
    else:
        return True
    problems.add(place, f"{what} `{name}` is not a valid name: {reason}")
    return False


def check_column(name: str, place: Place, problems: Problems) -> bool:
    """Return whether a source's column may have this name; if not, say why."""
    if name.startswith("_"):
        reason = "names starting with `_` are reserved for the platform; rename the field"
    elif not COLUMN.fullmatch(name):
        reason = "use letters, digits and `_`, starting with a letter, at most 128 characters"
    else:
        return True
    problems.add(place, f"column `{name}` is not a valid name: {reason}")
    return False


def unknown(what: str, name: str, known: Iterable[str], *, where: str = "") -> str:
    """Word the message about a name that does not exist."""
    known = sorted(known)
    hint = did_you_mean(name, known)
    if not hint:
        shown = ", ".join(f"`{candidate}`" for candidate in known[:12])
        hint = f"; there {'are' if len(known) > 1 else 'is'} {shown}" if known else ""
    return f"unknown {what} `{name}`{where}{hint}"
