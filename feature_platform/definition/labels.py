"""The `labels:` of a source: what happened after a row was served, as aggregates of its events.

Only Spark computes labels. What is aggregated is checked as in a feature set's query; beyond that a
label may be an expression over aggregates, such as `COUNT(*) > 0`.
"""
# `return refuse(...)` reports the mistake and gives None.
# mypy: disable-error-code="func-returns-value"

from collections.abc import Mapping as MappingOf

from sqlglot import exp

from feature_platform.definition.aggregates import aggregate_call, holds_aggregate, suggest_name
from feature_platform.definition.expression import BIGINT, DOUBLE, AggregateCall, Expression, Query
from feature_platform.definition.expressions import Checker
from feature_platform.definition.fields import Fields
from feature_platform.definition.fingerprint import digest, history_facts
from feature_platform.definition.functions import AGGREGATES, FUNCTIONS
from feature_platform.definition.labels_sql import DECIMAL_DIGITS, aggregate, value
from feature_platform.definition.model import (
    LABELS_WITHIN_MS,
    ColumnType,
    Labels,
    LabelValue,
    Source,
)
from feature_platform.definition.names import check_name, unknown
from feature_platform.definition.problems import Problems
from feature_platform.definition.reads import columns_read
from feature_platform.definition.refusals import CLAUSES, refused_call
from feature_platform.definition.render import expression
from feature_platform.definition.sql_text import SqlText
from feature_platform.definition.yaml_tree import Items, Mapping, Scalar, describe

KEYS = ("keys", "request", "within", "late", "sql")
KEY_TYPES = ("BIGINT", "INT", "STRING")
KEYS_MAX = 8
VALUES_MAX = 100
_WITHIN = " of `labels`"
_PARTS = frozenset({"expressions", "from_", "where"})
_EXAMPLE = "COUNT(*) FILTER (WHERE action = 'click') > 0 AS clicked"

Columns = MappingOf[str, ColumnType]


def read_labels(tree: Mapping, source: Source, problems: Problems) -> Labels | None:
    """Check the `labels:` of a source.

    Args:
        tree: The source's file.
        source: The source, in which there is no mistake.
        problems: Collects every mistake.

    Returns:
        What it says; None if there is none, or a mistake.
    """
    node = tree.get("labels")
    if node is None:
        return None
    if not isinstance(node, Mapping):
        problems.add(node, f"`labels` must be a mapping of `key: value`, not {describe(node)}")
        return None
    fields, columns = Fields(node, KEYS, problems, within=_WITHIN), dict(source.columns)
    keys = _keys(fields, columns)
    request = _request(fields, columns)
    if fields.mapping.get("keys") is None and fields.mapping.get("request") is None:
        msg = (
            "labels must say which rows they belong to: add `keys: [user_id, post_id]`, or "
            "`request: COLUMN` if events have the id of the answer"
        )
        problems.add(node, msg)
    within = fields.duration_ms("within", 0, *LABELS_WITHIN_MS)
    late = fields.duration_ms("late", 0, *LABELS_WITHIN_MS)
    text = fields.scalar("sql", example="|")
    query = None if text is None else _Reader(SqlText(text, problems), source).read()
    if problems.found or query is None or text is None:
        return None
    named = {*keys.values(), *([request] if request else [])}
    reads = dict(query.reads) | {name: columns[name] for name in named}
    return Labels(
        keys=tuple(keys.items()),
        request=request,
        within_ms=within,
        late_ms=late,
        sql=text.text,
        where=query.where,
        aggregates=query.aggregates,
        values=query.values,
        reads=tuple(sorted(reads.items())),
        fingerprint=digest(
            [
                [source.topic, source.format, source.event_time, source.event_time_unit],
                [source.max_future_ms, source.max_past_ms],
                sorted(keys.items()),
                [request, late, query.where, query.aggregates],
                [[each.name, str(each.type), each.sql] for each in query.values],
                [[name, str(kind)] for name, kind in sorted(reads.items())],
                *([history_facts(source.history)] if source.history else []),
            ]
        ),
    )


def _keys(fields: Fields, columns: Columns) -> dict[str, str]:
    """Return the column of each kind of entity that events name."""
    node = fields.node("keys")
    if node is None:
        return {}
    if isinstance(node, Items):
        pairs = [(item, item) for item in node.items]
    elif isinstance(node, Mapping):
        pairs = list(node.entries)
    else:
        pairs = []
    if not 1 <= len(pairs) <= KEYS_MAX:
        msg = (
            f"`keys`{_WITHIN} must be 1 to {KEYS_MAX} kinds of entity, such as [user_id, post_id], "
            f"or their columns, such as {{post_id: item}}, not {describe(node)}"
        )
        fields.problems.add(node, msg)
        return {}
    found: dict[str, str] = {}
    for kind, column in pairs:
        named, held = fields.as_text(kind, "a kind of entity"), fields.as_text(column, "a column")
        if named is None or held is None:
            continue
        if named.text in found:
            fields.problems.add(named, f"`{named.text}` is named twice; remove one")
        elif _is_key(held, columns, fields.problems):
            found[named.text] = held.text
    return found


def _request(fields: Fields, columns: Columns) -> str:
    named = fields.scalar("request")
    if named is None:
        return ""
    if named.text not in columns:
        fields.problems.add(named, unknown("column", named.text, columns, where=_WITHIN))
    elif columns[named.text].name != "STRING":
        kind = columns[named.text]
        msg = f"`request` column `{named.text}` is {kind}; the id of an answer is a STRING"
        fields.problems.add(named, msg)
    return named.text


def _is_key(named: Scalar, columns: Columns, problems: Problems) -> bool:
    if named.text not in columns:
        problems.add(named, unknown("column", named.text, columns, where=_WITHIN))
        return False
    kind = columns[named.text]
    if kind.name not in KEY_TYPES:
        msg = f"key `{named.text}` is {kind}; a key is one of {', '.join(KEY_TYPES)}"
        problems.add(named, msg)
        return False
    return True


class _Checked:
    """What a query says (mutable while it is read)."""

    def __init__(self) -> None:
        self.calls: list[AggregateCall] = []
        self.values: tuple[LabelValue, ...] = ()
        self.reads: tuple[tuple[str, ColumnType], ...] = ()
        self.where = ""

    @property
    def aggregates(self) -> tuple[str, ...]:
        return tuple(aggregate(call) for call in self.calls)


class _Reader:
    """Reads the query of labels (mutable: collects its aggregates)."""

    def __init__(self, sql: SqlText, source: Source) -> None:
        self.sql, self.source = sql, source
        self._found = _Checked()
        self._types: dict[str, ColumnType] = {}
        """Of each aggregate, by the name of its column."""

    def read(self) -> _Checked | None:
        """Return the checked query, or None if there was a mistake."""
        statement, before = self.sql.parse(), len(self.sql.problems.found)
        if statement is None:
            return None
        if not isinstance(statement, exp.Select):
            msg = f"labels are one SELECT of aggregates FROM {self.source.name}"
            return self.sql.refuse(statement, msg)
        self._refuse_clauses(statement)
        checker = self._checker(statement)
        if checker is None:
            return None
        found, where = self._found, self._where(statement, checker)
        found.values = self._values(statement, checker)
        if len(self.sql.problems.found) > before:
            return None
        query = Query(
            entity=self.source.event_time,
            origin=self.source.name,
            where=where,
            calls=tuple(found.calls),
        )
        found.reads = columns_read(query, self.source)
        found.where = "" if where is None else expression(where, "spark")
        return found

    def _refuse_clauses(self, select: exp.Select) -> None:
        for key, node in select.args.items():
            if not node or key in _PARTS:
                continue
            first = node[0] if isinstance(node, list) else node
            place = first if isinstance(first, exp.Expr) else select
            if key == "group":
                msg = "labels have no GROUP BY: there is one of each row that was served; remove it"
            else:
                default = f"{key.strip('_').upper()} is not part of the SQL of labels; remove it"
                msg = CLAUSES.get(key, default)
            self.sql.refuse(place, msg)

    def _checker(self, select: exp.Select) -> Checker | None:
        from_, name = select.args.get("from_"), self.source.name
        node = None if from_ is None else from_.this
        plain = isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier)
        extra = {key for key, each in node.args.items() if each} - {"this", "alias"} if node else ()
        if node is None or not plain or extra or node.name != name:
            msg = f"labels read their own source and nothing else: FROM {name}"
            return self.sql.refuse(select if node is None else node, msg)
        return Checker(self.sql, dict(self.source.columns), node.alias or name, f"source `{name}`")

    def _where(self, select: exp.Select, checker: Checker) -> Expression | None:
        where = select.args.get("where")
        if where is None:
            return None
        if holds_aggregate(where.this):
            msg = "WHERE applies to single events and cannot contain an aggregate"
            return self.sql.refuse(where.this, msg)
        return checker.condition(where.this)

    def _values(self, select: exp.Select, checker: Checker) -> tuple[LabelValue, ...]:
        if len(select.expressions) > VALUES_MAX:
            msg = f"{len(select.expressions)} labels; the limit is {VALUES_MAX}"
            self.sql.refuse(select, msg)
            return ()
        made: dict[str, LabelValue] = {}
        for item in select.expressions:
            if not isinstance(item, exp.Alias):
                msg = f"this label has no name; add AS {suggest_name(item)}"
                self.sql.refuse(item, msg)
                continue
            place = self.sql.spot(item.args["alias"])
            if not check_name(item.alias, "label", place, self.sql.problems):
                continue
            if item.alias in made:
                self.sql.refuse(item, f"two labels are named `{item.alias}`; rename one of them")
                continue
            checked = self._over_aggregates(item.unalias(), checker, item.alias)
            if checked is not None:
                made[item.alias] = LabelValue(
                    name=item.alias, type=checked.type, sql=value(checked)
                )
        return tuple(made.values())

    def _over_aggregates(self, node: exp.Expr, checker: Checker, name: str) -> Expression | None:
        """Return an expression in which each aggregate is a column."""
        if not holds_aggregate(node):
            called = str(node.this).upper() if isinstance(node, exp.Anonymous) else ""
            if called and called not in FUNCTIONS:
                return self.sql.refuse(node, refused_call(called))
            msg = f"a label is made of aggregates, such as {_EXAMPLE}"
            return self.sql.refuse(node, msg)
        before = len(self.sql.problems.found)
        outer = node.transform(lambda each: self._as_column(each, checker, name))
        for column in outer.find_all(exp.Column):
            if column.name not in self._types:
                msg = f"`{column.name}` is in no aggregate; write LAST_VALUE({column.name})"
                self.sql.refuse(column, msg)
        if len(self.sql.problems.found) > before:
            return None
        return Checker(self.sql, self._types, "", "aggregates").value(outer)

    def _as_column(self, node: exp.Expr, checker: Checker, name: str) -> exp.Expr:
        inner = node.this if isinstance(node, exp.Filter) else node
        if not isinstance(inner, exp.Anonymous) or str(inner.this).upper() not in AGGREGATES:
            return node
        call = aggregate_call(self.sql, checker, node, name)
        column = f"__a{len(self._types)}"
        identifier = exp.to_identifier(column, quoted=False)
        start = self.sql.offset(node)
        if start is not None:
            identifier.meta["start"] = start
        self._types[column] = BIGINT
        if call is not None and call.aggregate == "last_n":
            self.sql.refuse(node, "LAST_N is no label: it is a list; write LAST_VALUE(x)")
        elif call is not None:
            self._types[column] = _type_of(call)
            self._found.calls.append(call)
        return exp.Column(this=identifier)


def _type_of(call: AggregateCall) -> ColumnType:
    """Return the type of an aggregate."""
    if call.aggregate == "count" or call.argument is None:
        return BIGINT
    kind = call.argument.type
    match call.aggregate:
        case "avg":
            return DOUBLE
        case "sum" if kind.name == "DECIMAL":
            return ColumnType(name="DECIMAL", precision=DECIMAL_DIGITS, scale=kind.scale)
        case "sum":
            return DOUBLE if kind == DOUBLE else BIGINT
        case _:
            return kind
