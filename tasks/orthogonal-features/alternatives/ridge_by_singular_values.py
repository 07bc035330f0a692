"""orf/regression.py::feature_ridge: a singular value decomposition of the centred features."""

import numpy as np
from orf.arrays import FloatArray


def feature_ridge(
    train: FloatArray, test: FloatArray, targets: FloatArray, penalty: float
) -> Classifier:
    mean, offset = train.mean(axis=0), targets.mean(axis=0)
    U, s, Vt = np.linalg.svd(train - mean, full_matrices=False)
    weights = Vt.T @ ((s / (s**2 + penalty))[:, None] * (U.T @ (targets - offset)))
    fitted = (train - mean) @ weights + offset
    return Classifier(
        scores=(test - mean) @ weights + offset,
        training_loss=float(np.mean((fitted - targets) ** 2)),
        norm=float(np.linalg.norm(weights)),
        effective_dims=float((s**2 / (s**2 + penalty)).sum()),
    )
