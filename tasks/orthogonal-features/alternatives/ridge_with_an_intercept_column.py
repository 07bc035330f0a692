"""orf/regression.py::feature_ridge: an unpenalised column of ones instead of centring."""

import numpy as np
from orf.arrays import FloatArray


def feature_ridge(
    train: FloatArray, test: FloatArray, targets: FloatArray, penalty: float
) -> Classifier:
    def extended(features: FloatArray) -> FloatArray:
        return np.column_stack([features, np.ones(len(features))])

    A = extended(train)
    ridge = penalty * np.eye(A.shape[1])
    ridge[-1, -1] = 0.0
    gram = A.T @ A
    solution = np.linalg.solve(gram + ridge, A.T @ targets)
    influence = np.trace(np.linalg.solve(gram + ridge, gram))
    return Classifier(
        scores=extended(test) @ solution,
        training_loss=float(np.mean((A @ solution - targets) ** 2)),
        norm=float(np.linalg.norm(solution[:-1])),
        effective_dims=float(influence - 1.0),
    )
