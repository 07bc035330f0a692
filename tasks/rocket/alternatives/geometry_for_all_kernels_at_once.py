"""rocket/kernels.py::sample_geometry: all kernels at once, the exponential by a power."""

from collections.abc import Sequence

import numpy as np
from rocket.arrays import FloatArray, IntArray


def sample_geometry(
    lengths: Sequence[int], uniforms: FloatArray, points: int, scheme: "Scheme"
) -> tuple[IntArray, IntArray]:
    gaps = np.asarray(lengths) - 1
    largest = (points - 1) / gaps
    dilations = {
        "exponential": np.floor(largest ** uniforms[:, 2]),
        "uniform": np.floor(uniforms[:, 2] * np.floor(largest)) + 1,
        "none": np.ones(len(gaps)),
    }[scheme.dilation].astype(np.int64)
    padded = {
        "random": uniforms[:, 3] < 0.5,
        "always": np.full(len(gaps), True),
        "never": np.full(len(gaps), False),
    }[scheme.padding]
    return dilations, np.where(padded, gaps // 2 * dilations, 0)
