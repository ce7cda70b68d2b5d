"""Feast's historical retrieval, in an environment of its own.

Feast does not count windows: it joins finished values as of instants. So it is given values that
were finished before, and is asked for the newest of each key at each instant; its answer is
compared with pandas' own as-of join. It drops some of the asked rows whose key has no value yet.
`python -m bench.training_feast FOLDER` reads `finished.parquet` and `asked.parquet` there, and
prints one JSON object.
"""

import json
import sys
import time
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Int64
from feast.value_type import ValueType

VIEW, KEY, AT = "posts", "post_id", "event_timestamp"


def main(folder: Path) -> dict[str, Any]:
    """Retrieve, compare, and return the figures."""
    finished, asked = (
        pd.read_parquet(folder / f"{name}.parquet") for name in ("finished", "asked")
    )
    names = [name for name in finished.columns if name not in {KEY, AT}]
    store = _store(folder, names)
    features = [f"{VIEW}:{name}" for name in names]
    began = time.monotonic()
    found = store.get_historical_features(entity_df=asked, features=features).to_df()
    seconds = time.monotonic() - began
    expected = pd.merge_asof(
        asked.sort_values(AT), finished.sort_values(AT), on=AT, by=KEY, allow_exact_matches=True
    )
    return {
        "seconds": seconds,
        "rows": len(asked),
        "dropped": len(asked) - len(found),
        "equal": _equal(found, expected, names),
        "feast": version("feast"),
        "pandas": version("pandas"),
        "dask": version("dask"),
    }


def _store(folder: Path, names: list[str]) -> FeatureStore:
    store = FeatureStore(
        config=RepoConfig(
            project="bench",
            registry=str(folder / "feast-registry.db"),
            provider="local",
            offline_store={"type": "dask"},
            online_store={"type": "sqlite", "path": str(folder / "feast-online.db")},
            entity_key_serialization_version=3,
        )
    )
    post = Entity(name=KEY, join_keys=[KEY], value_type=ValueType.INT64)
    view = FeatureView(
        name=VIEW,
        entities=[post],
        ttl=timedelta(0),
        schema=[Field(name=KEY, dtype=Int64), *(Field(name=name, dtype=Int64) for name in names)],
        source=FileSource(path=str(folder / "finished.parquet"), timestamp_field=AT),
    )
    store.apply([post, view])
    return store


def _equal(found: pd.DataFrame, expected: pd.DataFrame, names: list[str]) -> bool:
    """Compare the rows that there are; only rows without a value may be missing."""
    left = found.set_index("row").sort_index()
    right = expected.set_index("row").sort_index()
    gone = right.index.difference(left.index)
    kept = right.loc[left.index]
    return bool(right.loc[gone, names].isna().all(axis=None)) and all(
        np.array_equal(
            left[name].to_numpy(dtype=np.float64),
            kept[name].to_numpy(dtype=np.float64),
            equal_nan=True,
        )
        for name in names
    )


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
