"""The demo's judgement: one differing value is enough to fail."""

from feature_platform.demo.recount import Expected, compare

EXPECTED = Expected(values={"EWR": {"departures_1d": 3, "worst_delay_1d": None}}, dead_letters=2)


def test_equal_values_and_dead_letters_are_right() -> None:
    """Null stands for null."""
    verdict = compare("traffic", EXPECTED, EXPECTED.values, 2)
    assert (verdict.is_right, verdict.entities, verdict.values) == (True, 1, 2)


def test_a_differing_value_is_named() -> None:
    """The line says which value of whom was served, and what it should be."""
    served = {"EWR": {"departures_1d": 4, "worst_delay_1d": None}}
    verdict = compare("traffic", EXPECTED, served, 2)
    assert verdict.wrong == ("traffic.departures_1d of EWR: served 4, recomputed 3",)


def test_a_missing_entity_and_a_missing_feature_are_wrong() -> None:
    """What is not served at all is told, also where nothing was expected but null."""
    assert len(compare("traffic", EXPECTED, {}, 2).wrong) == 2


def test_other_numbers_of_dead_letters_are_wrong() -> None:
    """An event that is neither counted nor dead-lettered would be lost."""
    assert not compare("traffic", EXPECTED, EXPECTED.values, 1).is_right


def test_nothing_compared_is_not_right() -> None:
    """A demo in which no value was served proves nothing."""
    assert not compare("traffic", Expected(values={}, dead_letters=0), {}, 0).is_right
