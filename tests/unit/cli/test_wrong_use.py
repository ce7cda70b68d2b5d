"""Wrong use ends with code 2 before any server is asked."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from feature_platform.cli.main import build

SOURCE = """\
source: posts
topic: posts
format: json
event_time: ts
columns: {post_id: BIGINT, ts: TIMESTAMP}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a source."""
    (tmp_path / "featuresets" / "sources").mkdir(parents=True)
    (tmp_path / "featuresets" / "sources" / "posts.yaml").write_text(SOURCE)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["produce", "post", "--file", "-"], "did you mean `posts`"),
        (["produce", "posts", "--file", "nowhere.jsonl"], "No such file"),
        (["produce", "posts", "--file", "-", "--rate", "-1"], "--rate"),
        (["get", "posts"], "--entity"),
        (["get", "posts", "--entity", "1", "--at", "yesterday"], "not a timestamp"),
        (["get", "posts", "--entities-file", "nowhere.txt"], "--entities-file"),
        (["rows", "posts"], "--entity"),
        (["stop"], "FS"),
        (["wait", "--timeout", "-1"], "--timeout"),
        (["produce", "posts", "--file", "-", "--skip", "-1"], "--skip"),
        (["demo", "--seconds", "0"], "--seconds"),
        (["try", "posts", "--sample", "0%"], "--sample"),
        (["try", "posts", "--sample", "1"], "write it as 1%"),
        (["try", "posts", "--minutes", "0"], "--minutes"),
        (["plan", "--reset", "views"], "needs exactly one feature set"),
        (["apply", "a", "b", "--reset", "views"], "needs exactly one feature set"),
        (["--project", "nowhere", "status"], "--project"),
    ],
)
def test_wrong_use_says_what_is_wrong(folder: Path, arguments: list[str], told: str) -> None:
    """The message names the option or the value, and what would be right."""
    result = CliRunner().invoke(build(), ["--project", str(folder), *arguments])
    words = result.output.replace("│", " ").split()  # without the box around them
    assert (result.exit_code, told in " ".join(words)) == (2, True)
