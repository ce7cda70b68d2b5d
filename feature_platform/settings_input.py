"""Reads what is in the settings file and the environment, before and after it is judged."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError

FILE_SUFFIX = "_file"
"""Settings with such names are paths, relative to the project."""

UNSHOWN = ("extra_forbidden", "model_type", "model_attributes_type", "dict_type")
"""Mistakes whose value may be anything: a name that nobody knows, a text in place of a table."""

FREE_TABLES = ("properties", "options")
"""Tables whose names and values are somebody else's; a value may be a secret."""


def _split(value: object) -> object:
    """Take a text apart at its commas; anything else is judged as it is."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


Names = Annotated[list[str], BeforeValidator(_split)]
"""A list; in one text, as an environment variable holds it, with commas between."""


def override(data: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Put `FP_STORE__TLS__CA_FILE` at `store.tls.ca_file`."""
    for name, value in environment.items():
        *tables, key = name.removeprefix("FP_").lower().split("__")
        if not name.startswith("FP_") or not tables:
            continue
        table: object = data
        for part in tables:
            table = table.setdefault(part, {}) if isinstance(table, dict) else None
        if isinstance(table, dict):
            table[key] = value


def resolve_files(table: dict[str, Any], project: Path) -> None:
    """Make the paths in settings absolute: whoever is handed them runs elsewhere."""
    for name, value in table.items():
        if isinstance(value, dict) and name not in FREE_TABLES:
            resolve_files(value, project)
        elif name.endswith(FILE_SUFFIX) and isinstance(value, str) and value:
            table[name] = str(project / Path(value).expanduser())


def describe(path: Path, error: ValidationError) -> str:
    """Name each mistake; its value only where it is sure to be no secret."""
    lines = []
    for item in error.errors():
        name, value = ".".join(str(part) for part in item["loc"]), item["input"]
        known = item["type"] not in UNSHOWN and not {*item["loc"]} & {*FREE_TABLES}
        shown = f" = {value!r}" if known and isinstance(value, (str, int, float)) else ""
        lines.append(f"{path}: {name}{shown}: {item['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)
