"""How counts, and spans of time, are written for people: one row, two rows."""

VOWELS = "aeiou"


def counted(count: int, one: str, many: str = "") -> str:
    """Write a count with its thing, which is plural unless the count is one.

    Args:
        count: How many.
        one: What one of them is called; its last word takes the plural.
        many: Several of them, where neither `s` nor `ies` makes it.
    """
    return f"{count:,} {noun(count, one, many)}"


def noun(count: int, one: str, many: str = "") -> str:
    """Return the word for a thing, singular or plural by the count, without the count."""
    if count == 1:
        return one
    if many:
        return many
    if one.endswith("y") and one[-2:-1] not in VOWELS:
        return f"{one[:-1]}ies"
    return f"{one}es" if one.endswith(("s", "x", "ch", "sh")) else f"{one}s"


def verb(count: int, one: str, many: str) -> str:
    """Return the form of a verb that fits a count: one feature counts, two count."""
    return one if count == 1 else many


def names_of(names: tuple[str, ...] | list[str], most: int = 12) -> str:
    """List names up to a limit, and how many more there are."""
    shown, left = ", ".join(names[:most]), len(names) - most
    return f"{shown} and {left:,} more" if left > 0 else shown


def span(span_ms: int) -> str:
    """Write a span of time for people: milliseconds below ten seconds, then minutes, then hours."""
    if span_ms < 10_000:  # noqa: PLR2004 (what is short is of interest to the millisecond)
        return f"{span_ms:,} ms"
    if span_ms < 3_600_000:  # noqa: PLR2004 (an hour)
        minutes, seconds = divmod(span_ms // 1_000, 60)
        return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    return hours(span_ms)


def hours(span_ms: int) -> str:
    """Write a span of time in hours and minutes, cut to the minute."""
    whole, minutes = divmod(span_ms // 60_000, 60)
    return f"{whole:,} h {minutes} min"


def short_span(span_ms: float | None) -> str:
    """Write a span of time for tables and pictures, such as `2.5m`; `-` if there is none."""
    if span_ms is None:
        return "-"
    seconds = span_ms / 1_000
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if abs(seconds) >= length:
            return f"{seconds / length:.1f}{unit}"
    return f"{seconds:.2f}s"
