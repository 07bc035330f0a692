"""orf/features.py::trig_features: real and imaginary parts of complex exponentials."""

import numpy as np
from orf.arrays import FloatArray


def trig_features(projections: FloatArray, phases: FloatArray | None = None) -> FloatArray:
    count = projections.shape[1]
    if phases is None:
        waves = np.exp(1j * projections)
        return np.hstack([waves.real, waves.imag]) * count**-0.5
    waves = np.exp(1j * projections) * np.exp(1j * phases)
    return waves.real * (2.0 / count) ** 0.5
