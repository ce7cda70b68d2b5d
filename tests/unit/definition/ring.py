# ruff: noqa: E501, RUF001 - lists of what may differ
"""A second ring of values and expressions: what no one would write, and engines might differ in."""

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

TEXTS: tuple[str | None, ...] = (
    None,
    "",
    "ß",
    "Straße",
    "STRASSE",
    "ı",
    "İ",
    "i",
    "I",
    "éÉ",
    "µ",
    "μ",
    "ŉ",
    "ǆ",
    "ǅ",
    "Ǆ",
    "ﬀ",
    "ΐ",
    "ᾳ",
    "Σ",
    "ΑΣ",
    "ΑΣ Σ",
    "σς",
    "e\u0301",
    "\u0301",
    "\u0345",
    "ẞ",
    "K",
    "Å",
    "Ⓐ",
    "ɤ",
    "ƛ",
    "ⱟ",
    "Ꟁ",
    "\ua7dc",
    "\ua7cb",
    "Ა",
    "ა",
    "Ꭰ",
    "ꭰ",
    "\ue000",
    "\uf8ff",
    "\ufffd",
    "\uffff",
    "\U00010400",
    "\U00010428",
    "\U0001e900",
    "\U00010570",
    "\U00010d50",
    "\U00010d70",
    "\U0001f389",
    "a\U0001f389b",
    "\U0001f468\u200d\U0001f469",
    "\U000e0001",
    "\U0010ffff",
    " ",
    "  x  ",
    "\u00a0x\u00a0",
    "\u3000x",
    "\tx\n",
    "\n",
    "a\nb",
    "x\r\ny",
    "\u2028",
    "%",
    "_",
    "a%b",
    "a_b",
    "\\",
    "\\%",
    "'",
    "''",
    '"',
    "`",
    "${env:HOME}",
    "${spark.app.name}",
    "$1",
    "{0}",
    "null",
    "NULL",
    "true",
    "0",
    "-0",
    "1e3",
    "ab",
    "aB",
    "Ab",
    "view",
)
CONSTANTS: tuple[str, ...] = tuple(
    text for text in TEXTS if text is not None and not any(letter < " " for letter in text)
)
PATTERNS = ("%", "%%", "a%", "%b", "%a%b%", "%\U0001f389%", "%'%", "%$%", "%.%", "%*%", "x%y", "%ß")
VALUES: dict[str, tuple[Any, ...]] = {
    "STRING": TEXTS,
    "INT": (None, 0, 1, -1, 7, 255, 2**31 - 1, -(2**31), 2**24 + 1),
    "BIGINT": (
        *(None, 0, 3, -5, 2**31, -(2**31) - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**62, -(2**62)),
        *(2**63 - 1, 2**63 - 513, 2**63 - 512, -(2**63), -(2**63) + 1, 3_037_000_500, 10**18),
    ),
    "DOUBLE": (
        *(None, 0.0, 0.1, 0.5, 1.5, -2.25, 1e15, 2.0**53, 2.0**53 + 2, -(2.0**53), 2.0**63),
        *(9223372036854774784.0, -(2.0**63), 1e100, 1e154, 1.7976931348623157e308, -1e308),
        *(5e-324, -5e-324, 2.2250738585072014e-308, 1 / 3),
    ),
    "DECIMAL": (
        *(None, Decimal("0.00"), Decimal("0.01"), Decimal("-0.01"), Decimal("1.50")),
        *(Decimal("99999999.99"), Decimal("-99999999.99"), Decimal("2.25"), Decimal("7.00")),
    ),
    "BOOLEAN": (None, True, False),
    "TIMESTAMP": (None, 0, 1, 1_769_871_600_000, 253_402_300_799_999, 1_769_871_599_999),
}
AWKWARD = """
LOWER(UPPER(s)) | UPPER(LOWER(UPPER(s))) | TRIM(TRIM(s)) | LOWER(s) = UPPER(s) | LOWER(s) = LOWER(t)
s < t | s >= t | UPPER(s) < LOWER(t) | UPPER(s) <= t | CONCAT(s, '') > t | s BETWEEN 'a' AND t
s > 'a' AND s < '\U0001f389' | s >= '\ue000' | NOT s < '\uffff' | TRIM(s) < SUBSTRING(t, 1, 1)
CASE WHEN b THEN UPPER('straße ıİ ǆ') ELSE s END | UPPER(s) IN ('SS', 'x') | COALESCE(s, LOWER('ΑΣ'))
s = '${env:HOME}' | CASE WHEN b THEN '${env:HOME}' ELSE s END | s = '${spark.app.name}'
CASE WHEN b THEN '${system:java.version} ${hivevar:x} ${spark.master}' ELSE t END
s || '\\n\\t\\u0041' | CASE WHEN b THEN '"double" `tick` ''single''' ELSE s END
s = '\\' | s LIKE '%${%' | s LIKE '%''%' | CONCAT(s, '%', t) LIKE '%\U0001f389%'
s <> '--' | s <> '/* x */' | s IN ('a;b', ':x', '?', '@v')
SUBSTRING(s, 2, 1) | SUBSTRING(s, 2) || SUBSTRING(s, 1, 1) | CHAR_LENGTH(s || t)
CHAR_LENGTH('\U0001f389' || s) | NULLIF(UPPER(s), UPPER(t))
CAST(i AS STRING) < '5' | CAST(j AS STRING) || s | CAST(b AND c AS STRING)
j = 9007199254740992.0 | j > 9007199254740992.0 | j <= 9007199254740992.0 | j <> 9007199254740993.0
j IN (9007199254740992.0, 0.5) | CAST(j AS DOUBLE) = 9007199254740992.0 | j = 9.223372036854775807e18
j < 9.223372036854775807e18 | j >= -9.223372036854775808e18 | j BETWEEN -1e19 AND 1e19 | j = d | j < d
CAST(j AS DOUBLE) = CAST(i AS DOUBLE) | i = 0.5 | i < 2147483647.5 | i BETWEEN -0.5 AND 0.5 | i <> 1.0
j + 1 | j - 1 | -j | ABS(j) | j * j | j * -1 | (j + j) - j | j - (j - 1) | i * i * i | i * j
ABS(-ABS(j)) | j % 2 = 1 | -(-j) | ABS(i) | -i | j + 1 > j | j + 1 IS NULL | COALESCE(j * j, -1)
MOD(j, 1) | MOD(j, 9223372036854775807) | MOD(-j, 7) | MOD(j * 2, 2) | j - j = 0
CASE WHEN j * 2 > 0 THEN 'up' ELSE 'no' END | CASE WHEN b THEN j + 1 ELSE 0 END
CAST(p AS DOUBLE) = 1.5 | CAST(p AS DOUBLE) * 100.0 | p = 1.5 | p < 1.505 | p > 99999999.985 | p = i
p >= j | p BETWEEN -0.01 AND i | p IN (1.5, 99999999.99) | CAST(p AS DOUBLE) > CAST(j AS DOUBLE)
COALESCE(p, 0.01) | d + d | d * d | d - d | -d | ABS(-d) | d = -d | d * 0.0 | d IN (0.0, 5e-324)
d < e | d * 1e-300 | d = j | m < TIMESTAMP '9999-12-31 23:59:59.999' | CAST(m AS BIGINT) - 1
m = TIMESTAMP '1970-01-01 00:00:00'
"""
"""Expressions that once differed, or may with another version of an engine; as in the allow-list."""
_NUMBERS = ("0", "1", "7", "-1", "2147483647", "-2147483648", "9007199254740993")
_LONGS = (*_NUMBERS, "9223372036854775807", "-9223372036854775807", "4294967296")
_REALS = ("0.0", "0.5", "1.5", "-2.25", "9007199254740992.0", "1e308", "9.223372036854776e18")
_INTS, _COMPARISONS = ("i",), ("=", "<>", "<", "<=", ">", ">=")


def awkward() -> list[str]:
    """Return the expressions of `AWKWARD`, one by one."""
    return [each.strip() for line in AWKWARD.split("\n") for each in line.split(" | ") if each]


def rows(kinds: Sequence[str], count: int, seed: int) -> list[tuple[Any, ...]]:
    """Draw rows; each text stands in one at least."""
    draw = random.Random(seed)  # noqa: S311 (data, not secrets)
    return [
        (
            number,
            *(
                TEXTS[number % len(TEXTS)] if place == 0 else draw.choice(VALUES[kind])
                for place, kind in enumerate(kinds)
            ),
        )
        for number in range(count)
    ]


class Expressions:
    """Draws expressions of each type over the columns of the allow-list."""

    def __init__(self, seed: int) -> None:
        """Begin anew."""
        self._draw = random.Random(seed)  # noqa: S311 (data, not secrets)

    def any(self, depth: int) -> str:
        """Return an expression that reads a column."""
        kinds = (self.text, self.text, self.long, self.real, self.condition, self.condition)
        while True:
            made = self._draw.choice(kinds)(depth)
            if any(f" {name} " in f" {_spaced(made)} " for name in "stijdepbcm"):
                return made

    def text(self, depth: int) -> str:
        """Return a STRING."""
        if depth <= 0:
            constant = self._draw.choice(CONSTANTS).replace("'", "''")
            return self._draw.choice(("s", "s", "t", f"'{constant}'"))
        inner, other = self.text(depth - 1), self.text(depth - 2)
        return self._draw.choice(
            (
                f"UPPER({inner})",
                f"LOWER({inner})",
                f"LOWER(UPPER({inner}))",
                f"UPPER(LOWER({inner}))",
                f"TRIM({inner})",
                f"SUBSTRING({inner}, {self._draw.randint(1, 3)}, {self._draw.randint(0, 3)})",
                f"SUBSTRING({inner}, {self._draw.randint(1, 4)})",
                f"CONCAT({inner}, {other})",
                f"({inner} || {other})",
                f"COALESCE({inner}, {other})",
                f"NULLIF({inner}, {other})",
                f"CASE WHEN {self.condition(depth - 1)} THEN {inner} ELSE {other} END",
                f"CASE {inner} WHEN {other} THEN 'x' WHEN 'ß' THEN NULL ELSE {inner} END",
                f"CAST({self._draw.choice(('i', 'j', 'b', 'b AND c'))} AS STRING)",
            )
        )

    def long(self, depth: int) -> str:
        """Return a BIGINT or INT."""
        if depth <= 0:
            return self._draw.choice(("i", "j", "j", f"COALESCE(j, {self._draw.choice(_LONGS)})"))
        inner, other = self.long(depth - 1), self.long(depth - 2)
        return self._draw.choice(
            (
                f"({inner} + {other})",
                f"({inner} - {other})",
                f"({inner} * {other})",
                f"({inner} * {self._draw.choice(_LONGS)})",
                f"(-({inner}))",
                f"ABS({inner})",
                f"MOD({inner}, {self._draw.choice((1, 2, 7, 10, 2**31, 2**63 - 1))})",
                f"CHAR_LENGTH({self.text(depth - 1)})",
                f"COALESCE({inner}, {other})",
                f"NULLIF({inner}, {other})",
                f"CASE WHEN {self.condition(depth - 1)} THEN {inner} ELSE {other} END",
                "CAST(m AS BIGINT)",
            )
        )

    def real(self, depth: int) -> str:
        """Return a DOUBLE."""
        if depth <= 0:
            return self._draw.choice(("d", "e", "CAST(p AS DOUBLE)", "CAST(j AS DOUBLE)"))
        inner, other = self.real(depth - 1), self.real(depth - 2)
        return self._draw.choice(
            (
                f"({inner} + {other})",
                f"({inner} - {other})",
                f"({inner} * {other})",
                f"({inner} * {self._draw.choice(_REALS)})",
                f"(-({inner}))",
                f"ABS({inner})",
                f"({inner} + {self.long(depth - 1)})",
                f"COALESCE({inner}, {other})",
                f"NULLIF({inner}, {other})",
                f"CASE WHEN {self.condition(depth - 1)} THEN {inner} ELSE {other} END",
            )
        )

    def condition(self, depth: int) -> str:
        """Return a BOOLEAN."""
        if depth <= 0:
            return self._draw.choice(("b", "c", "s IS NULL", "j > 0", "s <> 'view'", "p > i"))
        sign = self._draw.choice(_COMPARISONS)
        inner, other = self.text(depth - 1), self.text(depth - 2)
        whole, real = self.long(depth - 1), self.real(depth - 1)
        constant = self._draw.choice(CONSTANTS).replace("'", "''")
        return self._draw.choice(
            (
                f"{inner} {sign} {other}",
                f"{inner} {sign} '{constant}'",
                f"s {sign} t",
                f"{inner} BETWEEN {other} AND '{constant}'",
                f"NOT {inner} BETWEEN 'a' AND t",
                f"{inner} IN ('{constant}', 'SS', 'ss', '')",
                f"{inner} LIKE '{self._draw.choice(PATTERNS).replace(chr(39), chr(39) * 2)}'",
                f"{inner} NOT LIKE '{self._draw.choice(PATTERNS).replace(chr(39), chr(39) * 2)}'",
                f"{whole} {sign} {self.long(depth - 2)}",
                f"{whole} {sign} {self._draw.choice(_LONGS)}",
                f"{whole} {sign} {self._draw.choice(_REALS)}",
                f"{whole} {sign} {real}",
                f"{whole} BETWEEN -1 AND {self._draw.choice(_LONGS)}",
                f"{whole} IN (0, 7, 9223372036854775807)",
                f"{real} {sign} {self.real(depth - 2)}",
                f"{real} {sign} {self._draw.choice(_REALS)}",
                f"{real} {sign} {self._draw.choice(_LONGS)}",
                f"{real} BETWEEN 0 AND {self._draw.choice(_REALS)}",
                f"p {sign} {self._draw.choice(('1.5', '0', '99999999.99', '1.505', 'i', 'j'))}",
                "p IN (1.5, 7, 0.01)",
                f"m {sign} TIMESTAMP '2026-01-31 15:00:00'",
                f"({self.condition(depth - 1)} AND {self.condition(depth - 2)})",
                f"({self.condition(depth - 1)} OR {self.condition(depth - 2)})",
                f"NOT ({self.condition(depth - 1)})",
                f"{self._draw.choice((inner, whole, real))} IS NOT NULL",
            )
        )


def _spaced(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter == "_" else " " for letter in text)
