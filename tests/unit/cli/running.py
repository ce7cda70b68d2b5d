"""What tests of commands share: texts, a project's files, and how a command ended."""

from collections.abc import Callable
from dataclasses import dataclass

from feature_platform.testing import Deployed

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000

HOSTILE = (
    "[/b]",
    "[red]sale[/red]",
    "[link=https://x.example]y[/link]",
    ":smile:",
    "\x1b[31mred\x1b[0m",
    "bell\x07 back\x08 return\r",
    "two\nlines",
    "right\u202eto left\u200f",
    "\x9b2J",
    "no width\u200b",
    "é 🎉 日本",
)
"""Texts that a console could take for something else than themselves."""

SOURCE = """\
source: events
topic: events
format: json
event_time: ts
columns: {item: STRING, price: DOUBLE, cents: BIGINT, ts: TIMESTAMP}
"""
FEATURE_SET = """\
featureset: shop
description: What is bought.
owner: tests
entity: item
source: events
sql: |
  SELECT item,
         COUNT(*)           AS sold,
         SUM(cents)         AS cents,
         LAST_VALUE(price)  AS price,
         LAST_VALUE(item)   AS name,
         LAST_N(item, 3)    AS names
  FROM events
  GROUP BY item
features:
  sold:  {windows: [30m, 7d], lifetime: true}
  cents: {windows: [1d]}
  price: latest
  name:  latest
  names: latest
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of a command."""

    code: int
    out: str
    messages: str


RunFp = Callable[..., Ran]
Serve = Callable[..., Deployed]
