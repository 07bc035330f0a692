"""realnvp/evaluation.py::energy_distance: distances row by row."""

import numpy as np
from realnvp.arrays import FloatArray


def energy_distance(samples: FloatArray, data: FloatArray) -> tuple[float, float]:
    def mean_distance(a: FloatArray, b: FloatArray) -> float:
        return float(np.mean([np.linalg.norm(b - row, axis=1).mean() for row in a]))

    across = mean_distance(samples, data)
    own = mean_distance(samples, samples)
    theirs = mean_distance(data, data)
    return 1.0 - 0.5 * (own + theirs) / across, own / theirs
