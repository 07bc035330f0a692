"""coreset/classifier.py::loss_and_gradient: indicator matrix, column of ones, logsumexp."""

import numpy as np
from coreset.arrays import FloatArray, IntArray
from scipy.special import logsumexp


def loss_and_gradient(
    weights: FloatArray, H: FloatArray, y: IntArray, penalty: float
) -> tuple[float, FloatArray]:
    count = len(H)
    design = np.column_stack([H, np.ones(count)])
    scores = design @ weights
    indicator = np.eye(weights.shape[1])[y]
    norm = logsumexp(scores, axis=1)
    loss = (norm - (scores * indicator).sum(axis=1)).sum() / count
    difference = np.exp(scores - norm[:, None]) - indicator
    gradient = design.T @ difference / count + penalty * weights
    return float(loss + penalty / 2 * np.sum(weights * weights)), gradient
