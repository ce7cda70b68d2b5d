"""A matrix as a pandas DataFrame or an Arrow table. Imported only when one is asked for.

Exact where float64 is not: integers are 64-bit integers with missing values. A column of sums in
which one is beyond that holds Python integers, or decimal128(38, 0).
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from feature_platform.definition.served import LIST_OF
from feature_platform.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from feature_platform.serving.matrix import Column, FeatureMatrix


def to_pandas(matrix: "FeatureMatrix") -> "pd.DataFrame":
    """Return what `FeatureMatrix.to_pandas` does."""
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError(_missing("to_pandas", "pandas")) from error
    levels = [pd.Index(keys, dtype=object, name=kind) for kind, keys in matrix.keys.items()]
    index = levels[0] if len(levels) == 1 else pd.MultiIndex.from_arrays(levels)
    columns = {place: _pandas_values(column) for place, column in enumerate(matrix.columns)}
    frame = pd.DataFrame(columns, index=index, copy=False)
    frame.columns = pd.Index(matrix.names, dtype=object)
    return frame


def _pandas_values(column: "Column") -> Any:  # noqa: ANN401 (one of pandas' array types)
    import pandas as pd

    if not column.is_numeric or column.large:
        values = np.empty(len(column.data), dtype=object)
        for place, value in enumerate(column.to_list()):
            values[place] = value
        return values
    if column.data.dtype == np.int64:
        return pd.arrays.IntegerArray(column.data, ~column.shown)
    if column.data.dtype == np.bool_:
        return pd.arrays.BooleanArray(column.data, ~column.shown)
    return column.data if column.shown.all() else column.to_floats()


def nullable_frame(table: "pa.Table") -> "pd.DataFrame":
    """Return a table as a DataFrame; integers and booleans with missing values stay exact.

    Raises:
        ImportError: pandas is not installed.
    """
    import pandas as pd
    import pyarrow as pa

    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=nullable.get)
    return frame


def to_arrow(matrix: "FeatureMatrix") -> "pa.Table":
    """Return what `FeatureMatrix.to_arrow` does."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtraError(_missing("to_arrow", "pyarrow")) from error
    keys = [pa.array(keys, type=pa.string()) for keys in matrix.keys.values()]
    values = [
        arrow_values(column, served)
        for column, served in zip(matrix.columns, matrix.types, strict=True)
    ]
    return pa.Table.from_arrays(keys + values, names=[*matrix.keys, *matrix.names])


def arrow_values(column: "Column", served_type: str) -> "pa.Array":
    """Return the values of a column, of the type that is served."""
    import pyarrow as pa

    if column.large:
        return pa.array(column.to_list(), type=pa.decimal128(38, 0))
    if not column.is_numeric:
        inner = arrow_type(served_type.removeprefix(LIST_OF))
        wanted = pa.list_(inner) if served_type.startswith(LIST_OF) else inner
        return pa.array(column.to_list(), type=wanted)
    if column.data.dtype == np.bool_:
        return pa.array(column.data, mask=~column.shown)
    data = np.ascontiguousarray(column.data)
    missing = not column.shown.all()
    validity = np.packbits(column.shown, bitorder="little") if missing else None
    buffers = [None if validity is None else pa.py_buffer(validity), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(data.dtype), len(data), buffers)


def arrow_type(served_type: str) -> "pa.DataType":
    """Return Arrow's type of values, such as those of BIGINT."""
    import pyarrow as pa

    match served_type:
        case "BIGINT" | "INT" | "TIMESTAMP":
            return pa.int64()
        case "BOOLEAN":
            return pa.bool_()
        case "STRING":
            return pa.string()
        case _:
            return pa.float64()


def _missing(method: str, module: str) -> str:
    return f"{method} needs {module}, which is not installed: pip install {module}"
