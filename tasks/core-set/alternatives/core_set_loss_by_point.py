"""coreset/bounds.py::core_set_loss: the squared norm expanded, point by point."""

import numpy as np
from coreset.arrays import FloatArray, IntArray
from coreset.classifier import log_probabilities


def core_set_loss(
    weights: FloatArray, H: FloatArray, y: IntArray, distances: FloatArray, labelled: IntArray
) -> CoreSetLoss:
    p = np.exp(log_probabilities(weights, H))
    losses = [np.sqrt(row @ row - 2 * row[c] + 1) for row, c in zip(p, y, strict=True)]
    change, way = 0.0, 0.0
    for point, row in enumerate(distances):
        place = int(np.argmin(row[labelled]))
        change += abs(losses[point] - losses[labelled[place]])
        way += row[labelled[place]]
    whole = float(np.mean(losses))
    part = float(np.mean([losses[point] for point in labelled]))
    return CoreSetLoss(whole, part, max(whole - part, part - whole), float(change / way))
