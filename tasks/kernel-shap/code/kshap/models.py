"""The models to explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kshap import draws
from kshap.arrays import FloatArray, IntArray

HIDDEN = (24, 24)
STEPS = 300
RATE = 0.01
DECAY_FIRST, DECAY_SECOND, EPSILON = 0.9, 0.999, 1e-8
RIDGE = 1.0


@dataclass(frozen=True)
class LinearModel:
    """One weight per feature and an intercept."""

    weights: FloatArray
    intercept: float

    def __call__(self, X: FloatArray) -> FloatArray:
        return X @ self.weights + self.intercept


@dataclass(frozen=True)
class Network:
    """A perceptron: (weights, bias) per layer, weights of shape (inputs, outputs).

    ReLU behind every layer but the last, which has one output and is linear.
    """

    layers: Sequence[tuple[FloatArray, FloatArray]]

    def __call__(self, X: FloatArray) -> FloatArray:
        hidden = X
        for weights, bias in self.layers[:-1]:
            hidden = np.maximum(hidden @ weights + bias, 0.0)
        weights, bias = self.layers[-1]
        return (hidden @ weights + bias)[:, 0]


@dataclass(frozen=True)
class SparseModel:
    """A model that looks at some of the features only."""

    network: Network
    features: IntArray

    def __call__(self, X: FloatArray) -> FloatArray:
        return self.network(X[:, self.features])


def largest_feature(X: FloatArray) -> FloatArray:
    """The model that answers with the largest of its features."""
    return X.max(axis=1)


def fit_linear(X: FloatArray, y: FloatArray) -> LinearModel:
    """Ridge regression on centred features."""
    centred = X - X.mean(axis=0)
    gram = centred.T @ centred + RIDGE * np.eye(X.shape[1])
    weights = np.linalg.solve(gram, centred.T @ (y - y.mean()))
    return LinearModel(weights, float(y.mean() - X.mean(axis=0) @ weights))


def fit_network(X: FloatArray, y: FloatArray, seed: int) -> Network:
    """Least squares by full-batch Adam."""
    normals = draws.weight_normals(seed, (X.shape[1], *HIDDEN, 1))
    params = [p for n in normals for p in (n * np.sqrt(2.0 / len(n)), np.zeros(n.shape[1]))]
    first = [np.zeros_like(p) for p in params]
    second = [np.zeros_like(p) for p in params]
    for step in range(1, STEPS + 1):
        grads = gradients(params, X, y)
        for i, grad in enumerate(grads):
            first[i] = DECAY_FIRST * first[i] + (1 - DECAY_FIRST) * grad
            second[i] = DECAY_SECOND * second[i] + (1 - DECAY_SECOND) * grad**2
            mean = first[i] / (1 - DECAY_FIRST**step)
            spread = np.sqrt(second[i] / (1 - DECAY_SECOND**step))
            params[i] = params[i] - RATE * mean / (spread + EPSILON)
    return Network(list(zip(params[::2], params[1::2], strict=True)))


def gradients(params: list[FloatArray], X: FloatArray, y: FloatArray) -> list[FloatArray]:
    """Gradient of half the mean squared error, in the order of ``params``."""
    inputs = [X]
    for weights, bias in zip(params[:-2:2], params[1:-2:2], strict=True):
        inputs.append(np.maximum(inputs[-1] @ weights + bias, 0.0))
    delta = (inputs[-1] @ params[-2] + params[-1] - y[:, None]) / len(y)
    grads: list[FloatArray] = []
    for index in range(len(inputs) - 1, -1, -1):
        grads[:0] = [inputs[index].T @ delta, delta.sum(axis=0)]
        if index:
            delta = (delta @ params[2 * index].T) * (inputs[index] > 0)
    return grads
