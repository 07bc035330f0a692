"""coreset/uncertainty.py::uncertainty: partition for the two largest, scipy's entropy."""

import numpy as np
from coreset.arrays import FloatArray
from scipy.stats import entropy


def uncertainty(log_p: FloatArray, measure: str) -> FloatArray:
    p = np.exp(log_p)
    if measure == "entropy":
        return np.asarray(entropy(p, axis=1, base=p.shape[1]))
    top = np.partition(p, -2, axis=1)[:, -2:]
    scores = {"margin": 1.0 + top[:, 0] - top[:, 1], "confidence": 1.0 - top.max(axis=1)}
    if measure not in scores:
        raise ValueError(measure)
    return scores[measure]
