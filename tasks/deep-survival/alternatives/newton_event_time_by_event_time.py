"""deepsurv/cox.py::fit_linear: event time by event time, with Cholesky factors."""

import numpy as np
from deepsurv.arrays import BoolArray, FloatArray


def fit_linear(X: FloatArray, time: FloatArray, event: BoolArray) -> LinearCox:
    moments = [
        (X[(time == t) & event].sum(axis=0), np.count_nonzero((time == t) & event), time >= t)
        for t in np.unique(time[event])
    ]
    centre = X.mean(axis=0)
    Z = X - centre
    beta = np.zeros(X.shape[1])
    for _ in range(25):
        weights = np.exp(Z @ beta)
        gradient = np.zeros(len(beta))
        information = np.zeros((len(beta), len(beta)))
        for total, deaths, at_risk in moments:
            share = weights[at_risk] / weights[at_risk].sum()
            members = Z[at_risk]
            mean = share @ members
            gradient += total - deaths * (mean + centre)
            spread = members - mean
            information += deaths * (spread.T * share) @ spread
        factor = np.linalg.cholesky(information)
        change = np.linalg.solve(factor.T, np.linalg.solve(factor, gradient))
        beta = beta + change
        if np.all(np.abs(change) < 1e-9):
            break
    inverse = np.linalg.inv(factor)
    return LinearCox(beta, np.sqrt((inverse**2).sum(axis=0)))
