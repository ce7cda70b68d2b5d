"""A matrix as numpy, pandas, Arrow and DLPack: exact, and without a copy where that can be."""

import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from feature_platform.errors import CallerError, MissingExtraError
from feature_platform.serving import FeatureMatrix
from feature_platform.serving.matrix import Column
from feature_platform.serving.states import Evidence
from feature_platform.testing import Deployed

NAMES = ["posts.watch_1d", "posts.views_30m", "posts.liked", "posts.score_2h", "posts.action"]
NAMES += ["posts.scores", "posts.discoverer", "posts.first_seen_1d"]


@pytest.fixture(name="matrix")
def _matrix(world: Deployed) -> FeatureMatrix:
    return world.client.prepare(NAMES).get(["a", "b", "nobody"])


def test_pandas_has_exact_integers_with_missing_values(matrix: FeatureMatrix) -> None:
    """2^53 + 2 is no float; the index is the keys, and types do not depend on what is missing."""
    frame = matrix.to_pandas()

    assert list(frame.columns) == NAMES
    assert frame.index.name == "post"
    assert frame.index.tolist() == ["a", "b", "nobody"]
    assert frame["posts.watch_1d"].tolist() == [2**53 + 2, 0, 0]
    assert [str(kind) for kind in frame.dtypes] == [
        *("Int64", "Int64", "boolean", "float64", "object", "object", "Int64", "Int64")
    ]
    assert frame["posts.liked"].isna().tolist() == [False, True, True]
    assert frame["posts.action"].tolist() == ["view", "view", None]
    assert frame["posts.scores"].tolist() == [[0.5, -2.0], None, None]


def test_arrow_has_exact_integers_with_nulls(matrix: FeatureMatrix) -> None:
    """The keys are columns, too; lists are lists of their type, also where all are missing."""
    table = matrix.to_arrow()

    assert table.column_names == ["post", *NAMES]
    assert table["post"].to_pylist() == ["a", "b", "nobody"]
    assert table["posts.watch_1d"].to_pylist() == [2**53 + 2, 0, 0]
    assert table["posts.liked"].to_pylist() == [True, None, None]
    assert table["posts.score_2h"].to_pylist() == [-0.75, None, None]
    assert table["posts.action"].to_pylist() == ["view", "view", None]
    assert table["posts.discoverer"].to_pylist() == [None] * 3
    assert table.schema.field("posts.scores").type == pa.list_(pa.float64())
    assert table.schema.field("posts.discoverer").type == pa.int64()
    table.validate(full=True)


def test_numbers_are_not_copied(matrix: FeatureMatrix) -> None:
    """Arrow and pandas look at the matrix's own memory."""
    data = matrix.columns[0].data
    arrow = matrix.to_arrow()["posts.watch_1d"].chunk(0)

    assert arrow.buffers()[1].address == data.ctypes.data
    assert np.shares_memory(matrix.to_pandas()["posts.watch_1d"].array._data, data)


def test_dlpack_hands_out_the_float32_matrix(matrix: FeatureMatrix) -> None:
    """As a tensor library would take it, without a copy."""
    taken = np.from_dlpack(matrix)

    assert taken.dtype == np.float32
    assert taken.flags.c_contiguous
    assert np.shares_memory(taken, matrix.to_numpy())
    np.testing.assert_array_equal(taken, matrix.to_numpy(np.float64).astype(np.float32))


def test_numpy_has_the_type_that_is_asked_for(matrix: FeatureMatrix) -> None:
    """Types that have no NaN are refused."""
    assert matrix.to_numpy(np.float64) is matrix.to_numpy("float64")
    assert matrix.to_numpy("float16").dtype == np.float16
    with pytest.raises(CallerError, match="dtype is int64; write float32"):
        matrix.to_numpy(np.int64)


def test_sums_beyond_64_bits_stay_exact() -> None:
    """They are Python integers in pandas, and decimals in Arrow."""
    column = Column(
        data=np.array([1, 0, 7]),
        present=np.array([True, True, False]),
        large={1: 2**70},
    )
    seen = Evidence(found=np.zeros(3, dtype=np.int8), absent="expired", counts=True, partial=False)
    matrix = FeatureMatrix(
        names=("s",),
        types=("BIGINT",),
        keys={"post": ("a", "b", "c")},
        status=("ok",) * 3,
        errors={},
        columns=(column,),
        evidence=(seen,),
        counts_since_ms={},
    )

    assert matrix.to_pandas()["s"].tolist() == [1, 2**70, None]
    assert matrix.to_arrow()["s"].to_pylist() == [1, 2**70, None]
    assert matrix.to_numpy(np.float64)[:2, 0].tolist() == [1.0, 2.0**70]
    assert matrix.states[:, 0].tolist() == ["value", "value", "expired"]


def test_without_features_the_keys_remain(world: Deployed) -> None:
    """A request of nothing is answered with nothing."""
    matrix = world.client.prepare([]).get(["a", "b"])

    assert matrix.to_numpy().shape == (2, 0)
    assert matrix.to_pandas().shape == (2, 0)
    assert matrix.to_dicts()[0]["values"] == {}


@pytest.mark.parametrize(("module", "method"), [("pandas", "to_pandas"), ("pyarrow", "to_arrow")])
def test_a_missing_package_is_named(
    matrix: FeatureMatrix, monkeypatch: pytest.MonkeyPatch, module: str, method: str
) -> None:
    """A ranker's install has neither; nothing else needs them."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=f"{method} needs {module}, .*pip install {module}"):
        getattr(matrix, method)()


def test_pandas_indexes_by_all_kinds() -> None:
    """Of several kinds of entity the index has a level each."""
    matrix = FeatureMatrix(
        names=(),
        types=(),
        keys={"post": ("a", "b"), "user": ("1", "1")},
        status=("ok",) * 2,
        errors={},
        columns=(),
        evidence=(),
        counts_since_ms={},
    )
    expected = pd.MultiIndex.from_tuples([("a", "1"), ("b", "1")], names=["post", "user"])
    assert matrix.to_pandas().index.equals(expected)
