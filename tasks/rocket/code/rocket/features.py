"""Features of series: what the kernels' outputs look like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rocket.arrays import FloatArray, Kernel


def convolve(series: FloatArray, kernel: Kernel) -> FloatArray:
    rows, points = series.shape
    length = len(kernel.weights)
    reach = (length - 1) * kernel.dilation
    padded = np.zeros((rows, points + 2 * kernel.padding))
    padded[:, kernel.padding : kernel.padding + points] = series
    outputs = padded.shape[1] - reach
    result = np.full((rows, outputs), kernel.bias)
    for index, weight in enumerate(kernel.weights):
        first = index * kernel.dilation
        result += weight * padded[:, first : first + outputs]
    return result


def transform(series: FloatArray, kernels: Sequence[Kernel], kinds: Sequence[str]) -> FloatArray:
    columns = []
    for kernel in kernels:
        outputs = convolve(series, kernel)
        for kind in kinds:
            if kind == "ppv":
                column = (outputs > 0.0).mean(axis=1)
            elif kind == "max":
                column = outputs.max(axis=1)
            else:
                column = outputs.mean(axis=1)
            columns.append(column)
    return np.stack(columns, axis=1)
