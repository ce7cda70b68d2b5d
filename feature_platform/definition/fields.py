"""Reads the fields of one YAML mapping by type, telling every mistake with its place and remedy."""

from collections.abc import Iterable

from feature_platform.definition.problems import Place, Problems, did_you_mean, listing
from feature_platform.definition.yaml_tree import (
    Items,
    Mapping,
    Node,
    Scalar,
    describe,
    is_decimal,
)
from feature_platform.tiles.grid import format_duration, parse_duration_ms


class Fields:
    """The fields of one mapping (mutable: remembers mistakes in `problems`).

    Every method returns None for a field that is missing or wrong; what is wrong was reported.
    """

    def __init__(
        self, mapping: Mapping, known: Iterable[str], problems: Problems, *, within: str = ""
    ) -> None:
        """Report unknown keys at once.

        Args:
            mapping: The YAML.
            known: The keys it may have.
            problems: Collects mistakes.
            within: What the mapping is, for messages: ` of feature views`.
        """
        self.mapping = mapping
        self.problems = problems
        self._within = within
        known = tuple(known)
        for key, _ in mapping.entries:
            if key.text not in known:
                hint = did_you_mean(key.text, known) or f"; known keys are {listing(known)}"
                problems.add(key, f"unknown key `{key.text}`{within}{hint}")

    def key(self, name: str) -> Place:
        """Return where a key is, or the mapping where it is missing."""
        return next((key for key, _ in self.mapping.entries if key.text == name), self.mapping)

    def node(self, name: str, *, example: str = "") -> Node | None:
        """Return a value as it is; with an example it is required."""
        value = self.mapping.get(name)
        if value is None and example:
            msg = f"`{name}` is missing{self._within}; add a line such as `{name}: {example}`"
            self.problems.add(self.mapping, msg)
        return value

    def scalar(self, name: str, *, example: str = "") -> Scalar | None:
        """Return a text with its place; with an example it is required."""
        value = self.node(name, example=example)
        return None if value is None else self.as_text(value, f"`{name}`{self._within}")

    def text(self, name: str, default: str = "") -> str:
        """Return an optional text."""
        value = self.scalar(name)
        return default if value is None else value.text.strip()

    def as_text(self, value: Node, what: str) -> Scalar | None:
        """Return a node that must be a text."""
        if isinstance(value, Scalar) and value.kind == "str" and value.text.strip():
            return value
        remedy = "write a string"
        if isinstance(value, Scalar) and value.kind in {"bool", "int", "float"}:
            remedy = (
                f"YAML does not read {value.text} as a string: put it in quotes, '{value.text}'"
            )
        self.problems.add(value, f"{what} must be a string, not {describe(value)}; {remedy}")
        return None

    def integer(self, name: str, low: int, high: int) -> int | None:
        """Return an optional integer within `[low, high]`."""
        value = self.node(name)
        if value is None:
            return None
        if isinstance(value, Scalar) and value.kind == "int" and is_decimal(value.text):
            number = int(value.text)
            if low <= number <= high:
                return number
        msg = f"`{name}`{self._within} must be an integer from {low} to {high}"
        self.problems.add(value, f"{msg}, not {describe(value)}")
        return None

    def boolean(self, name: str) -> bool:
        """Return an optional boolean; missing is false."""
        value = self.node(name)
        if value is None:
            return False
        if isinstance(value, Scalar) and value.kind == "bool" and value.text in {"true", "false"}:
            return value.text == "true"
        msg = f"`{name}`{self._within} must be `true` or `false`, not {describe(value)}"
        self.problems.add(value, msg)
        return False

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """Return an optional word out of a few."""
        value = self.scalar(name)
        if value is None or value.text in choices:
            return default if value is None else value.text
        hint = did_you_mean(value.text, choices)
        wanted = " or ".join(f"`{choice}`" for choice in choices)
        msg = f"`{name}`{self._within} must be {wanted}, not `{value.text}`{hint}"
        self.problems.add(value, msg)
        return default

    def duration_ms(self, name: str, default: int, low: int, high: int) -> int:
        """Return an optional duration within `[low, high]`."""
        value = self.node(name)
        read = None if value is None else self.as_duration(value, f"`{name}`{self._within}")
        if value is None or read is None:
            return default
        if not low <= read <= high:
            span = f"from {format_duration(low)} to {format_duration(high)}"
            self.problems.add(
                value, f"`{name}`{self._within} must be {span}, not {describe(value)}"
            )
            return default
        return read

    def as_duration(self, value: Node, what: str) -> int | None:
        """Return a node that must be a duration."""
        if isinstance(value, Scalar) and value.kind == "str":
            try:
                return parse_duration_ms(value.text)
            except ValueError as error:
                self.problems.add(value, f"{what}: {error}")
                return None
        msg = f"{what} must be a duration such as 90s, 30m, 2h or 5d, not {describe(value)}"
        self.problems.add(value, msg)
        return None

    def durations(self, name: str, most: int) -> tuple[tuple[int, Node], ...] | None:
        """Return an optional, non-empty list of durations with their places."""
        value = self.node(name)
        if value is None:
            return None
        what = f"`{name}`{self._within}"
        if not isinstance(value, Items) or not value.items:
            msg = f"{what} must be a list of durations such as [30m, 1d], not {describe(value)}"
            self.problems.add(value, msg)
            return None
        if len(value.items) > most:
            self.problems.add(value, f"{what} has {len(value.items)} entries; the limit is {most}")
            return None
        read = [(self.as_duration(item, what), item) for item in value.items]
        return tuple((duration, item) for duration, item in read if duration is not None)

    def submapping(self, name: str, *, example: str = "") -> Mapping | None:
        """Return a value that must be a mapping; with an example it is required."""
        value = self.node(name, example=example)
        if value is None or isinstance(value, Mapping):
            return value
        msg = f"`{name}`{self._within} must be a mapping of `key: value`, not {describe(value)}"
        self.problems.add(value, msg)
        return None
