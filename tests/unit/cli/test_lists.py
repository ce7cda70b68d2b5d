"""`fp lists`, and lists in `fp validate` and `fp show`."""

import json
from pathlib import Path

from feature_platform.definition.feature_list import FeatureList
from feature_platform.definition.loading import load_project
from tests.unit.cli.running import RunFp, Serve

LIST = """\
list: checkout
version: 1
owner: "[b]shop[/b]"
features:
  - shop.sold_30m
"""


def write(folder: Path, text: str = LIST) -> None:
    """Define a list."""
    (folder / "featuresets" / "lists").mkdir(exist_ok=True)
    (folder / "featuresets" / "lists" / "checkout.yaml").write_text(text)


def test_lists_are_shown_with_and_without_a_store(fp: RunFp, folder: Path) -> None:
    """What is defined is known; the rest is not."""
    assert "no feature list" in fp("lists").messages
    write(folder)

    (found,) = json.loads(fp("lists", "--json").out)

    assert (found["list"], found["state"], found["version"]) == ("checkout", "unknown", 1)
    assert (found["featuresets"], found["features"]) == (["shop"], 1)
    assert "[b]shop[/b]" in fp("lists").out
    assert json.loads(fp("show", "shop", "--json").out)["lists"] == ["checkout"]
    (valid,) = json.loads(fp("validate", "--json").out)["lists"]
    assert valid["features"] == [{"name": "shop.sold_30m"}]


def test_what_is_stored_is_shown_with_its_versions(fp: RunFp, folder: Path, serve: Serve) -> None:
    """And that the definition is another one by now."""
    write(folder)
    made = serve([])
    assert json.loads(fp("lists", "--json").out)[0]["state"] == "not stored"
    listed: FeatureList = load_project(folder / "featuresets").lists["checkout"]
    made.registry.save_list(listed)
    (same,) = json.loads(fp("lists", "--json").out)
    write(folder, LIST.replace("version: 1", "version: 2"))
    (changed,) = json.loads(fp("lists", "--json").out)

    assert (same["state"], same["changed"], same["stored_versions"]) == ("stored", False, [1])
    assert (changed["changed"], changed["version"]) == (True, 1)
    ran = fp("lists", "checkout")
    assert "checkout: stored, version 1" in ran.out
    assert "the definition in featuresets/lists/checkout.yaml is different: fp plan" in ran.out
    assert json.loads(fp("lists", "checkout", "--json").out)["defined"]["version"] == 2


def test_an_unknown_list_is_told_with_the_nearest(fp: RunFp, folder: Path) -> None:
    """As everywhere."""
    write(folder)
    ran = fp("lists", "chekout")

    assert ran.code == 1
    assert "unknown feature list `chekout`; did you mean `checkout`?" in ran.messages
