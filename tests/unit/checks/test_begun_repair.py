"""Checks while a repair stands half done: it can be ended by what they find alone."""

from dataclasses import replace

from feature_platform.checks.repair import make_repair_plan
from feature_platform.checks.run import check
from feature_platform.plan.stages import Repair
from tests.unit.checks.bench import ATTEMPT, NOW_MS, Bench
from tests.unit.checks.changes import DAY_MS, YESTERDAY, busiest, overwrite

BEFORE_YESTERDAY = (4, NOW_MS - NOW_MS % DAY_MS - 2 * DAY_MS)


def test_all_is_compared_long_after_it_began(bench: Bench) -> None:
    """Whatever was asked for, and though the cut that it began at has expired."""
    begun = replace(
        ATTEMPT,
        attempt=2,
        execution="repair/1/7",
        kind="repair",
        restore_point=(1, 7),
        end_offsets={"events/0": 9},
        dirty_since_ms=NOW_MS,
    )
    bench.registry.add_attempt("posts", 1, begun)
    assert bench.registry.cut("posts", 1, 1, 7) is None
    bench.clock.advance(3_600_000)
    entity, said = busiest(bench), list[str]()
    overwrite(bench, entity, BEFORE_YESTERDAY, None)
    found = check(bench.reads, "posts", YESTERDAY, said.append)
    assert found.wrong == (entity,)
    assert "comparing everything" in said[0]
    plan = make_repair_plan(bench.reads, "posts", found)
    assert plan is not None
    assert [stage.entities for stage in plan.stages if isinstance(stage, Repair)] == [(entity,)]
