"""What 8,000 requests a second of 2,000 x 100 features need: the tables of docs/capacity.md.

Measured figures are those of the newest whole run of `bench/serving.py`
(`bench/results/*-serving.json`); hits by routing are those of the model in `bench/cache_model.py`.
Writes the tables into the page; the last line printed is one JSON object with the goals.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.cache_model import (
    CACHED,
    ENTITIES,
    EXPONENTS,
    INSTANCES,
    LOOKUPS_S,
    Outcome,
    outcome,
    population,
)
from bench.rig import HERE, goal, table

PAGE = HERE.parent / "docs" / "capacity.md"
BEGIN, END = "<!-- by bench/capacity.py -->\n", "<!-- end -->\n"
REQUESTS_S, SIZE, FEATURES = 8_000, 2_000, 100
SHARES = {"80 %": 0.80, "95 %": 0.95, "99 %": 0.99, "all": 1.0}
"""Of the entities, those that are cached, as the contestants of the benchmark are named."""
ROOM = CACHED[1]
PUBLISHED_ROWS_S, PUBLISHED_VALUES_S = 18.4e6, 1e9
MISSING = "-"
ROWS, ROW_BYTES, KEPT = "rows of an entity", "bytes of them", "bytes kept of an entity"
"""As the benchmark names its figures."""

Figures = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a run of the benchmark says, as far as it got."""

    figures: Figures
    date: str

    @classmethod
    def newest(cls, folder: Path) -> "Measured":
        """Read the newest results; without any, nothing is measured."""
        paths = sorted(folder.glob("*-serving.json"))
        if not paths:
            return cls(figures={}, date="")
        kept = json.loads(paths[-1].read_text())
        return cls(figures=kept["figures"], date=kept["date"])

    def product(self, factor: float, *names: str) -> float | None:
        """Return a factor times some figures; nothing if one is missing."""
        for name in names:
            if name not in self.figures:
                return None
            factor *= self.figures[name]
        return factor


def store_rows_s(made: Outcome, measured: Measured) -> float | None:
    """Return the rows that caches read a second: whole entities, and one head for each renewed."""
    whole = measured.product(made.misses_s, ROWS)
    heads = measured.product(made.heads_s, "rows read per refresh of a warm entity")
    return None if whole is None or heads is None else whole + heads


def by_hits(measured: Measured) -> list[str]:
    """Return the table of what is needed at fixed shares of cached entities."""
    rows = []
    for said, share in SHARES.items():
        name, read_s = f"this build, {said} cached", LOOKUPS_S * (1 - share)
        rows.append(
            (
                said,
                _said(measured.product(1, name), "{:,.1f} ms"),
                _said(measured.product(REQUESTS_S / 1e3, name), "{:,.0f}"),
                f"{read_s / 1e6:,.2f} M",
                _said(measured.product(read_s / 1e6, ROWS), "{:,.1f} M"),
                _said(measured.product(read_s / 1e9, ROW_BYTES), "{:,.2f} GB/s"),
            )
        )
    rankers = ("entities cached", "CPU of a request", "cores of rankers")
    return table((*rankers, "entities read/s", "store rows/s", "from the store"), rows)


def by_routing(measured: Measured) -> list[str]:
    """Return the table of what routing does to the store, by Zipf's exponent."""
    rows = []
    for exponent in EXPONENTS:
        of = population(ENTITIES, exponent)
        for routed in (False, True):
            made = outcome(of, LOOKUPS_S, ROOM, INSTANCES, routed=routed)
            rows_s = store_rows_s(made, measured)
            rows.append(
                (
                    str(exponent),
                    "yes" if routed else "no",
                    f"{made.resident:.1%}",
                    f"{made.fresh:.1%}",
                    f"{made.misses_s / 1e6:.2f} M",
                    f"{made.heads_s / 1e6:.2f} M",
                    _said(rows_s and rows_s / 1e6, "{:,.1f} M"),
                )
            )
    hits = ("Zipf", "routed", "entity cached", "nothing read")
    return table((*hits, "entities read/s", "heads read/s", "store rows/s"), rows)


def memory(measured: Measured) -> list[str]:
    """Return the table of what caches take."""
    figures = {
        "the rows of an entity": (1.0, ROW_BYTES, "{:,.0f} bytes"),
        "an entity, kept": (1.0, KEPT, "{:,.0f} bytes"),
        f"{ROOM / 1e6:g} million entities, of one instance": (ROOM / 1e9, KEPT, "{:,.1f} GB"),
        f"{ENTITIES / 1e6:g} million entities, once each": (ENTITIES / 1e9, KEPT, "{:,.0f} GB"),
    }
    rows = [
        (said, _said(measured.product(factor, name), form))
        for said, (factor, name, form) in figures.items()
    ]
    return table(("memory of caches", ""), rows)


def service(measured: Measured) -> list[str]:
    """Return the table of what the service adds to it, for warm requests."""
    rate = measured.figures.get("gRPC requests a CPU second of fp serve, kept bytes")
    values_s = REQUESTS_S * SIZE * FEATURES / 1e9
    rows = [
        ("cores of workers", _said(rate and REQUESTS_S / rate, "{:,.0f}")),
        ("answers, float32", f"{values_s * 4:,.1f} GB/s"),
        ("answers, float64", f"{values_s * 8:,.1f} GB/s"),
    ]
    return table(("`fp serve`, all cached", ""), rows)


def tables(measured: Measured) -> str:
    """Return all tables, as the page has them."""
    source = f"the [run of {measured.date}](../bench/results/{measured.date}-serving.md)"
    said = f"Measured figures are of {source}." if measured.date else "Nothing is measured yet."
    parts = [[said], by_hits(measured), memory(measured), service(measured), by_routing(measured)]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def filled(page: str, made: str) -> str:
    """Return the page with the tables in their place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{made}{END}{after}"


def _said(value: float | None, form: str) -> str:
    return MISSING if value is None else form.format(value)


def main() -> None:
    """Write the tables into the page, and print the goals."""
    measured = Measured.newest(HERE / "results")
    made = tables(measured)
    PAGE.write_text(filled(PAGE.read_text(), made))
    print(made)
    rows_s = measured.product(LOOKUPS_S * 0.05, ROWS)
    scaled = PUBLISHED_ROWS_S * REQUESTS_S * SIZE * FEATURES / PUBLISHED_VALUES_S
    goals = (
        [goal("store rows/s at 95 % hits", rows_s, scaled, at_most=True, digits=0)]
        if rows_s
        else []
    )
    print(json.dumps({"goals": goals}))


if __name__ == "__main__":
    main()
