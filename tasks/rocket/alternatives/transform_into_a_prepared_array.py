"""rocket/features.py::transform: fills an array of three axes, and counts positive values."""

from collections.abc import Sequence

import numpy as np
from rocket.arrays import FloatArray, Kernel


def transform(series: FloatArray, kernels: Sequence[Kernel], kinds: Sequence[str]) -> FloatArray:
    result = np.empty((len(series), len(kernels), len(kinds)))
    for k, kernel in enumerate(kernels):
        outputs = convolve(series, kernel)
        length = outputs.shape[1]
        pooled = {
            "ppv": np.count_nonzero(outputs > 0, axis=1) / length,
            "max": np.sort(outputs, axis=1)[:, -1],
            "mean": outputs @ np.full(length, 1.0 / length),
        }
        for i, kind in enumerate(kinds):
            result[:, k, i] = pooled[kind]
    return result.reshape(len(series), -1)
