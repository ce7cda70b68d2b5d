"""Loading a folder: every file is read, bad ones never stop good ones, names are unique."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_platform.definition import loading
from feature_platform.definition.featureset import read_featureset
from feature_platform.definition.loading import Project, load_project
from feature_platform.definition.model import FeatureSet
from feature_platform.definition.yaml_tree import Mapping
from feature_platform.errors import DefinitionError

Load = Callable[[dict[str, str | bytes]], Project]

VIEWS = """\
featureset: {name}
description: Views.
entity: post_id
source: post_events
sql: SELECT post_id, COUNT(*) AS views FROM post_events GROUP BY post_id
features: {{views: {{windows: [30m], lifetime: true}}}}
"""
GOOD = VIEWS.format(name="good")


def _messages(project: Project) -> list[str]:
    return [str(problem) for problem in project.problems]


def test_a_missing_folder_is_an_empty_project(tmp_path: Path) -> None:
    """A project without definitions has no mistakes."""
    project = load_project(tmp_path / "featuresets")

    assert Project(sources={}, featuresets={}, problems=(), raw={}) == project


def test_a_bad_file_does_not_stop_the_good_ones(load: Load) -> None:
    """Of two files one loads, and the other's mistake is told."""
    project = load({"good.yaml": GOOD, "bad.yaml": "featureset: [", "none.txt": "ignored"})

    assert list(project.featuresets) == ["good"]
    assert [problem.file for problem in project.problems] == ["featuresets/bad.yaml"]


def test_mistakes_of_all_files_are_told_at_once(load: Load) -> None:
    """Problems of sources and feature sets come together, ordered by file and place."""
    project = load(
        {
            "b.yaml": GOOD.replace("views:", "viewz:"),
            "a.yml": GOOD.replace("name", "x").replace("COUNT(*)", "CONT(*)"),
            "sources/s.yaml": "source: s\n",
        }
    )

    files = [problem.file for problem in project.problems]
    assert sorted(files) == files
    assert {"featuresets/a.yml", "featuresets/b.yaml", "featuresets/sources/s.yaml"} == set(files)


def test_two_files_with_one_name_are_both_refused(load: Load) -> None:
    """Neither of two definitions of one name is guessed to be the right one."""
    project = load({"one.yaml": GOOD, "two.yaml": GOOD})

    assert project.featuresets == {}
    told = "feature set `good` is also defined in featuresets/{}; rename one or remove it"
    assert _messages(project) == [
        f"featuresets/one.yaml:1:13: {told.format('two.yaml')}",
        f"featuresets/two.yaml:1:13: {told.format('one.yaml')}",
    ]


def test_a_source_with_mistakes_is_named_where_it_is_used(load: Load) -> None:
    """A feature set of a broken source says which source to mend."""
    project = load({"sources/clicks.yaml": "source: clicks\n", "good.yaml": GOOD.replace(
        "source: post_events", "source: clicks"
    )})  # fmt: skip

    expected = "featuresets/good.yaml:4:9: source `clicks` has errors of its own; fix them first"
    assert expected in _messages(project)


def test_a_folder_with_the_name_of_a_file_is_told(tmp_path: Path) -> None:
    """What cannot be read as a file is a mistake like others."""
    (tmp_path / "featuresets" / "odd.yaml").mkdir(parents=True)

    project = load_project(tmp_path / "featuresets")

    expected = "featuresets/odd.yaml:1:1: the file cannot be read: Is a directory"
    assert _messages(project) == [expected]


def test_a_file_that_is_too_large_is_refused(load: Load) -> None:
    """A limit on the file's size keeps loading quick whatever the file holds."""
    project = load({"large.yaml": b"# " + b"x" * 300_000})

    size = "262145 bytes; the limit is 262144"
    expected = f"the file has {size}: split it into several feature sets"
    assert [expected] == [problem.message for problem in project.problems]


def test_windows_line_ends_and_a_byte_order_mark_are_read(load: Load) -> None:
    """A file saved on Windows loads, and its mistakes have the right place."""
    broken = GOOD.replace("sql: SELECT", "sql: |\n  SELECT").replace("COUNT(*)", "CONT(*)")
    project = load({"windows.yaml": b"\xef\xbb\xbf" + broken.replace("\n", "\r\n").encode()})

    assert [(problem.line, problem.column) for problem in project.problems] == [(6, 19)]


def test_the_raw_definition_holds_the_source(load: Load) -> None:
    """What the registry keeps of a definition is its YAML and its source's as data."""
    raw = load({"good.yaml": GOOD}).raw["good"]

    assert raw["features"] == {"views": {"windows": ["30m"], "lifetime": True}}
    assert raw["source"]["columns"]["price"] == "DECIMAL(10,2)"


def test_checked_raises_all_problems(load: Load) -> None:
    """A caller that needs all definitions gets all mistakes as one error."""
    project = load({"bad.yaml": "featureset: [", "worse.yaml": ""})

    with pytest.raises(DefinitionError) as caught:
        project.checked()

    assert project.problems == caught.value.problems
    assert load({"bad.yaml": GOOD, "worse.yaml": VIEWS.format(name="other")}).checked().raw


@pytest.mark.parametrize(
    "where",
    ["NOT " * 5_000 + "paid", "(" * 3_000 + "paid" + ")" * 3_000, "-" * 2 + " comment\n" + "paid"],
    ids=["not", "brackets", "comment"],
)
def test_deep_queries_end_in_an_answer(load: Load, where: str) -> None:
    """However deep a query is nested, it loads or is refused."""
    sql = f"SELECT post_id, COUNT(*) FILTER (WHERE {where}) AS views"
    text = GOOD.replace("sql: SELECT post_id, COUNT(*) AS views", f"sql: |\n  {sql}\n ")
    project = load({"deep.yaml": text})

    assert bool(project.featuresets) != bool(project.problems)


def test_a_long_chain_of_or_is_read(load: Load) -> None:
    """Many alternatives are not deep: a chain is read flat."""
    chain = " OR ".join(f"user_id = {number}" for number in range(1_500))
    text = GOOD.replace("COUNT(*) AS", f"COUNT(*) FILTER (WHERE {chain}) AS")

    assert load({"long.yaml": text}).problems == ()


HUGE = "9" * 5_000


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("sources/odd.yaml", f"source: odd\nnobody: {HUGE}"),
        ("sources/odd.yaml", f"source: odd\nnobody: [{{reads: -{HUGE}}}]"),
        ("odd.yaml", f"settings: {{parallelism: {HUGE}}}"),
        ("odd.yaml", f"nobody: +{HUGE}"),
        ("odd.yaml", "nobody: 0x" + "F" * 5_000),
        ("odd.yaml", f"nobody: {HUGE}.{HUGE}e{HUGE}"),
    ],
)
def test_a_number_of_any_length_is_a_mistake_of_its_file(load: Load, file: str, line: str) -> None:
    """Python refuses to read a number of 4,301 digits; the other files have nothing to do with it.

    A dead sensor of Dagster was the price: it loads these definitions, too.
    """
    project = load({"good.yaml": GOOD, file: f"{line}\n"})
    assert list(project.featuresets) == ["good"]
    assert {problem.file for problem in project.problems} == {f"featuresets/{file}"}


@pytest.mark.parametrize(
    "call",
    [
        f"COUNT(*) FILTER (WHERE user_id > {HUGE})",
        f"COUNT(*) FILTER (WHERE price > {HUGE}.5)",
        "COUNT(*) FILTER (WHERE price > 1e-999999999)",
        "COUNT(*) FILTER (WHERE price > 0e-999999999)",
        f"COUNT(*) FILTER (WHERE price > 1e-{HUGE})",
        f"LAST_N(user_id, {HUGE})",
    ],
)
def test_a_number_of_any_length_in_a_query_is_told_in_few_words(load: Load, call: str) -> None:
    """Not in those of Python, and without writing a gigabyte of zeros on the way."""
    project = load({"good.yaml": GOOD, "odd.yaml": GOOD.replace("COUNT(*)", call)})
    told = [str(problem) for problem in project.problems if problem.file.endswith("odd.yaml")]
    assert told
    assert max(map(len, told)) < 300
    assert "set_int_max_str_digits" not in " ".join(told)


def test_an_error_that_nobody_has_foreseen_is_told_of_its_file(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever reads a file may fail; the others are read."""

    def read(tree: Mapping, *rest: object) -> FeatureSet | None:
        if tree.get("odd"):
            msg = "x" * 10_000
            raise ZeroDivisionError(msg)
        return read_featureset(tree, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loading, "read_featureset", read)
    project = load({"good.yaml": GOOD, "odd.yaml": "odd: 1\n"})
    assert list(project.featuresets) == ["good"]
    (told,) = _messages(project)
    assert told.startswith("featuresets/odd.yaml:1:1: the file cannot be read (ZeroDivisionError")
    assert len(told) < 400


def test_odd_names_of_files_can_be_shown(tmp_path: Path) -> None:
    """A name may hold any bytes but a slash; what is told is a text of one line."""
    folder = tmp_path / "odd" / "featuresets"
    folder.mkdir(parents=True)
    for name in (b"\xff\xfe.yaml", b"two\nlines.yaml", b"[red]x[red].yaml"):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_text("featureset: [")
    told = [str(problem) for problem in load_project(folder).problems]
    assert len(told) == 3
    assert all(text.encode() and "\n" not in text for text in told)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody may ever write to it."""
    folder = tmp_path / "featuresets"
    folder.mkdir()
    os.mkfifo(folder / "pipe.yaml")
    (told,) = load_project(folder).problems
    assert told.message == "this is not a regular file; remove it"


DAMAGE = (
    *("", "(", "'", '"', ",", "{", "]", ":", "&a", "*a", "|", "\t", "--", "/*", "\\", "::", "%"),
    *(" CASE ", " AS ", " NULL ", " OVER (", " (SELECT 1) ", "1e999", "@x", "?", "\udcff"),
)
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 9),
        st.sampled_from(DAMAGE),
    ),
    min_size=1,
    max_size=4,
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=EDITS)
def test_whatever_the_file_holds_loading_ends_in_an_answer(
    load: Load, edits: list[tuple[float, int, str]]
) -> None:
    """A damaged definition either loads or has mistakes in its lines; nothing is raised."""
    text = GOOD
    for share, cut, put in edits:
        place = int(share * len(text))
        text = text[:place] + put + text[place + cut :]
    data = text.encode("utf-8", "surrogateescape")

    project = load({"damaged.yaml": data})

    assert bool(project.featuresets) != bool(project.problems)
    lines = range(1, data.count(b"\n") + 2)
    assert all(problem.line in lines for problem in project.problems)


LISTS = """\
featureset: lists
description: Lists.
entity: post_id
source: post_events
sql: |
  SELECT post_id, COUNT(*) AS views, {columns}
  FROM post_events GROUP BY post_id
features: {{views: {{lifetime: true}}, {features}}}
"""


def _lists(count: int, kept: int) -> str:
    names = [f"texts_{number}" for number in range(count)]
    return LISTS.format(
        columns=", ".join(f"LAST_N(action, {kept}) AS {name}" for name in names),
        features=", ".join(f"{name}: latest" for name in names),
    )


def test_a_row_that_no_store_takes_is_refused(load: Load) -> None:
    """Whatever texts events will hold: each is kept up to 4,096 bytes."""
    (problem,) = load({"lists.yaml": _lists(3, 1_000)}).problems
    assert "an entity's row may need 12," in str(problem)
    assert "`texts_0` 4,125,032" in str(problem)
    assert load({"lists.yaml": _lists(2, 1_000)}).problems == ()
    assert load({"lists.yaml": _lists(10, 200)}).problems == ()


@pytest.mark.parametrize(
    ("topic", "taken"), [(".", False), ("..", False), ("...", True), (".a", True), ("a..b", True)]
)
def test_a_folder_is_not_a_topic(load: Load, topic: str, *, taken: bool) -> None:
    """Kafka refuses `.` and `..`, which would be other folders of the event log."""
    source = (
        f"source: s\ntopic: {topic!r}\nevent_time: at\ncolumns: {{id: BIGINT, at: TIMESTAMP}}\n"
    )
    assert (load({"sources/s.yaml": source}).problems == ()) is taken
