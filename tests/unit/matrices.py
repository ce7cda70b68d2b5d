"""What a matrix says as a whole, compared with what its columns say one by one."""

import numpy as np

from feature_platform.serving import FeatureMatrix


def check_columns(matrix: FeatureMatrix) -> None:
    """Compare floats, presence and states."""
    for place, column in enumerate(matrix.columns):
        if column.is_numeric:
            np.testing.assert_array_equal(matrix.values[:, place], column.to_floats())
        else:
            assert np.isnan(matrix.values[:, place]).all()
        np.testing.assert_array_equal(matrix.present[:, place], column.present)
        codes = matrix.evidence[place].codes(column.present, column.is_zero, column.lost)
        np.testing.assert_array_equal(matrix.state_codes[:, place], codes)
    np.testing.assert_array_equal(matrix.to_numpy(), matrix.values.astype(np.float32))
