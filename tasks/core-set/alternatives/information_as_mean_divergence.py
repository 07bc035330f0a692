"""coreset/uncertainty.py::mutual_information: mean divergence of the passes from their mean."""

import numpy as np
from coreset.arrays import BoolArray, FloatArray
from coreset.classifier import log_probabilities


def mutual_information(
    weights: FloatArray, H: FloatArray, masks: BoolArray, keep: float
) -> tuple[FloatArray, FloatArray]:
    passes = []
    for mask in masks:
        thinned = weights.copy()
        thinned[:-1] *= mask[:, None] / keep
        passes.append(np.exp(log_probabilities(thinned, H)))
    p = np.stack(passes)
    mean = p.mean(axis=0)
    ratio = np.ones_like(p)
    np.divide(p, mean, out=ratio, where=p > 0)
    divergence = (p * np.log(ratio)).sum(axis=2)
    return divergence.mean(axis=0), p.std(axis=0).mean(axis=1)
