"""Writes the file by which commands find the servers that a test has started."""

import json
from collections.abc import Mapping

from feature_platform.settings import Settings


def write_settings(settings: Settings) -> None:
    """Write a project's `feature_platform.toml`."""
    lines = []
    for section, values in settings.model_dump(exclude={"project", "cache"}).items():
        plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
        lines += [f"[{section}]", *_assignments(plain)]
        for key, value in values.items():
            if isinstance(value, dict):
                lines += [f"[{section}.{key}]", *_assignments(value)]
    (settings.project / "feature_platform.toml").write_text("\n".join(lines) + "\n")


def _assignments(values: Mapping[str, object]) -> list[str]:
    return [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in values.items()]
