"""The session's fixed settings: texts of a definition reach Spark as they are written."""

import pytest

from backfill.session import FIXED, open_session
from feature_platform.errors import SettingsError

TEXTS = {
    "spark.sql.variable.substitute": "false",
    "spark.sql.parser.escapedStringLiterals": "false",
    "spark.sql.parser.quotedRegexColumnNames": "false",
    "spark.sql.parser.doubleQuotedIdentifiers": "false",
}


def test_nothing_is_put_into_texts() -> None:
    """Else a constant such as '${env:HOME}' would be another one in Spark than in Flink."""
    assert TEXTS.items() <= FIXED.items()


@pytest.mark.parametrize(
    "name",
    [
        "spark.sql.legacy.exponentLiteralAsDecimal.enabled",
        "spark.sql.parser.singleCharacterPipeOperator.enabled",
        "spark.sql.decimalOperations.allowPrecisionLoss",
    ],
)
def test_an_option_that_changes_what_sql_means_is_refused(name: str) -> None:
    """Whatever else it is set to: nobody has tried it."""
    with pytest.raises(SettingsError, match=f"sets {name}, .*remove this option"):
        open_session(master="local[1]", jars=[], options={name: "true"})


@pytest.mark.parametrize("name", [*TEXTS, "spark.sql.ansi.enabled", "spark.sql.session.timeZone"])
def test_an_option_that_changes_what_rows_rest_on_is_refused(name: str) -> None:
    """The message names it and says what to do; Java is not even started."""
    with pytest.raises(SettingsError, match=f"sets {name} = 'other'.*remove this option"):
        open_session(master="local[1]", jars=[], options={name: "other"})
