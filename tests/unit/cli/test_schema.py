"""`fp schema` prints the schema, or writes it."""

import json
from pathlib import Path

from feature_platform.cli.output import EXIT_FAILED
from feature_platform.definition.schema import definitions_schema
from tests.unit.cli.running import RunFp


def test_it_is_printed_or_written(fp: RunFp, folder: Path) -> None:
    """The same; a file is replaced."""
    out = folder / "featuresets" / "schema.json"
    out.write_text("old")

    printed, written = fp("schema"), fp("schema", "--out", str(out))

    assert (printed.code, written.code, written.out) == (0, 0, "")
    assert json.loads(printed.out) == json.loads(out.read_text()) == definitions_schema()
    assert fp("validate").code == 0


def test_a_folder_that_is_missing_is_told(fp: RunFp, folder: Path) -> None:
    """And what to do."""
    ran = fp("schema", "--out", str(folder / "no" / "schema.json"))

    assert ran.code == EXIT_FAILED
    assert "cannot be written" in ran.messages
