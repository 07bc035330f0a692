"""offpolicy/rewards.py::impute_rewards: writes the events of each fold one after another."""

import numpy as np
from offpolicy.arrays import FloatArray, IntArray, Log


def impute_rewards(
    X: FloatArray,
    log: Log,
    propensities: FloatArray,
    folds: IntArray,
    penalty: float | None,
) -> tuple[FloatArray, FloatArray]:
    n, k = len(log.rows), propensities.shape[1]
    predicted, imputed = np.zeros((n, k)), np.zeros((n, k))
    for fold in sorted(set(folds.tolist())):
        model = np.zeros((k, 1 + X.shape[1]))
        if penalty is not None:
            others = [i for i in range(n) if folds[i] != fold]
            targets, weights = np.zeros((len(others), k)), np.zeros((len(others), k))
            for j, i in enumerate(others):
                action = log.actions[i]
                targets[j, action] = log.rewards[i]
                weights[j, action] = 1.0 / propensities[log.rows[i], action]
            model = fit_rewards(X[log.rows[others]], targets, weights, penalty)
        for i in np.flatnonzero(folds == fold):
            action, row = log.actions[i], log.rows[i]
            predicted[i] = model[:, 0] + model[:, 1:] @ X[row]
            imputed[i] = predicted[i]
            residual = log.rewards[i] - predicted[i, action]
            imputed[i, action] += residual / propensities[row, action]
    return predicted, imputed
