"""lgc/propagation.py::spectral_path: builds the filtered matrix, and keeps g(0) for the rest."""

import math
from collections.abc import Sequence

import numpy as np
from lgc.arrays import FloatArray


def spectral_path(
    S: FloatArray, Y: FloatArray, kind: str, strengths: Sequence[float], rank: int
) -> list[FloatArray]:
    values, vectors = np.linalg.eigh(-S)
    values = -values
    values[rank:] = 0.0

    def g(x: FloatArray, s: float) -> FloatArray:
        return np.exp(s * x) / math.exp(s) if kind == "heat" else (1.0 - s) / (1.0 - s * x)

    return [np.matmul((vectors * g(values, s)) @ vectors.T, Y) for s in strengths]
