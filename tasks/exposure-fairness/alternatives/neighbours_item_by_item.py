"""jme/models.py::cosine_neighbours: one target item after another, sorted as pairs."""

import numpy as np


def cosine_neighbours(train: np.ndarray, n_neighbours: int, shrinkage: float) -> np.ndarray:
    lengths = np.linalg.norm(train, axis=0)
    weights = np.zeros((train.shape[1], train.shape[1]))
    for item in range(train.shape[1]):
        similarity = train[:, item] @ train / (lengths[item] * lengths + shrinkage)
        similarity[item] = 0.0
        ranked = np.lexsort((np.arange(len(similarity)), -similarity))
        for other in ranked[:n_neighbours]:
            weights[other, item] = similarity[other]
    return weights
