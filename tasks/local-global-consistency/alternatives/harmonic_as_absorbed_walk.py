"""lgc/baselines.py::harmonic: absorption probabilities of a random walk."""

import numpy as np
from lgc.arrays import FloatArray, Labelled


def harmonic(W: FloatArray, labelled: Labelled) -> FloatArray:
    walk = W / W.sum(axis=1, keepdims=True)
    others = np.setdiff1d(np.arange(len(W)), labelled.points)
    inner = np.eye(len(others)) - walk[np.ix_(others, others)]
    F = np.zeros(labelled.Y.shape)
    F[labelled.points] = labelled.Y[labelled.points]
    F[others] = np.linalg.inv(inner) @ walk[np.ix_(others, labelled.points)] @ F[labelled.points]
    return F
