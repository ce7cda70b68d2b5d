"""Which features nobody uses, and which say nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feature_platform.definition.feature_list import FeatureList, ListedFeature
from feature_platform.statistics.usage import FeatureUse, usage
from feature_platform.tiles.cover import cover
from tests.unit.debug.debug_case import featureset
from tests.unit.feature_log.topic import settings_of
from tests.unit.statistics.days import served

Column = tuple[str, Sequence[Any]]


def looked(folder: Path, *names: str, shown: dict[str, str] | None = None) -> dict[str, FeatureUse]:
    """Look at the feature set `users`, of which a list has some names."""
    features = tuple(
        ListedFeature(name=f"users.{name}", shown_as=(shown or {}).get(name, "")) for name in names
    )
    lists = [FeatureList(name="home", version=1, features=features)] if names else []
    found = usage(settings_of(folder), [featureset()], lists, lambda _: None)
    return {each.name: each for each in found}


def test_what_no_list_has(tmp_path: Path) -> None:
    """Costs are there all the same; nothing is known of what was served."""
    found = looked(tmp_path, "views_2h")
    assert found["events_2h"].verdicts == ("in no list",)
    assert found["views_2h"].verdicts == ()
    assert found["views_2h"].lists == ("home",)
    assert found["views_2h"].logged is None
    assert found["views_2h"].bytes > 0


def test_what_a_name_costs_a_request(tmp_path: Path) -> None:
    """The head, and the tiles of its window when the present lies worst; one less at most."""
    grid, window_ms, day_ms = featureset().grid, 7_200_000, 86_400_000
    levels = grid.levels_for_window(window_ms)
    most = max(
        len(cover(grid, levels, window_ms, day_ms + minute * 60_000 + 1, "now").tiles)
        for minute in range(1440)
    )
    assert looked(tmp_path)["views_2h"].rows in {most, 1 + most}


def test_what_was_served(tmp_path: Path) -> None:
    """A name that is always null, one that is constant, one that no row has."""

    def values(_: int, number: int) -> dict[str, Column]:
        return {
            "views": ("BIGINT", [number, 2]),
            "events": ("BIGINT", [None, None]),
            "total": ("BIGINT", [7, 7]),
        }

    served(tmp_path, [0, 1], answers=3, values=values)
    shown = {f"{name}_2h": name for name in ("views", "events", "total", "likes")}
    found = looked(tmp_path, *shown, shown=shown)
    assert found["views_2h"].verdicts == ()
    assert found["views_2h"].logged == 12
    assert found["events_2h"].verdicts == ("always null",)
    assert found["total_2h"].verdicts == ("constant",)
    assert found["likes_2h"].verdicts == ("not served",)
