"""The Cox partial likelihood, for any log risk and for a linear one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepsurv.arrays import BoolArray, FloatArray

TOLERANCE = 1e-9
MAX_ITERATIONS = 50


def partial_likelihood(
    time: FloatArray, event: BoolArray, log_risk: FloatArray
) -> tuple[float, FloatArray]:
    n_events = int(event.sum())
    top = log_risk.max()
    relative = np.exp(log_risk - top)
    latest = np.argsort(-time, kind="stable")
    position = np.searchsorted(-time[latest], -time, side="right") - 1
    at_risk = np.cumsum(relative[latest])[position]
    loss = float((top + np.log(at_risk) - log_risk)[event].sum() / n_events)

    earliest = latest[::-1]
    terms = np.where(event, 1.0 / at_risk, 0.0)[earliest]
    passed = np.searchsorted(time[earliest], time, side="right") - 1
    exposure = np.cumsum(terms)[passed]
    gradient = relative * exposure - event
    return loss, gradient / n_events


@dataclass(frozen=True)
class LinearCox:
    """Coefficients of the linear log risk, and their standard errors."""

    coefficients: FloatArray
    errors: FloatArray

    def __call__(self, X: FloatArray) -> FloatArray:
        return X @ self.coefficients


def fit_linear(X: FloatArray, time: FloatArray, event: BoolArray) -> LinearCox:
    order = np.argsort(-time, kind="stable")
    X, time, event = X[order], time[order], event[order]
    at_risk = np.searchsorted(-time, -time[event], side="right") - 1
    beta = np.zeros(X.shape[1])
    for _ in range(MAX_ITERATIONS):
        score = X @ beta
        weight = np.exp(score - score.max())
        weighted = weight[:, None] * X
        total = np.cumsum(weight)[at_risk]
        mean = np.cumsum(weighted, axis=0)[at_risk] / total[:, None]
        outer = np.cumsum(weighted[:, :, None] * X[:, None, :], axis=0)[at_risk]
        gradient = (X[event] - mean).sum(axis=0)
        information = (outer / total[:, None, None]).sum(axis=0) - mean.T @ mean
        step = np.linalg.solve(information, gradient)
        beta = beta + step
        if np.abs(step).max() < TOLERANCE:
            break
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    return LinearCox(beta, errors)
