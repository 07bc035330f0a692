"""Training a network with Adam on mini-batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cqr.arrays import FloatArray, IntArray, Params
from cqr.losses import Loss
from cqr.network import forward, gradients

BETA1 = 0.9
BETA2 = 0.999
EPSILON = 1e-8


@dataclass(frozen=True)
class Moments:
    """Adam's state: steps taken, and running first and second moments of the gradient."""

    step: int
    first: Params
    second: Params

    @classmethod
    def start(cls, params: Params) -> Moments:
        def zeros() -> Params:
            return [(np.zeros_like(weights), np.zeros_like(bias)) for weights, bias in params]

        return cls(0, zeros(), zeros())


def adam_step(
    params: Params, grads: Params, moments: Moments, rate: float
) -> tuple[Params, Moments]:
    step = moments.step + 1
    moved, first, second = [], [], []
    for layer, grad, old_m, old_v in zip(params, grads, moments.first, moments.second, strict=True):
        m = tuple(BETA1 * a + (1.0 - BETA1) * g for a, g in zip(old_m, grad, strict=True))
        v = tuple(BETA2 * b + (1.0 - BETA2) * g**2 for b, g in zip(old_v, grad, strict=True))
        first.append(m)
        second.append(v)
        new_layer = []
        for parameter, a, b in zip(layer, m, v, strict=True):
            direction = a / (1.0 - BETA1**step)
            size = np.sqrt(b / (1.0 - BETA2**step)) + EPSILON
            new_layer.append(parameter - rate * direction / size)
        moved.append(tuple(new_layer))
    return moved, Moments(step, first, second)


@dataclass(frozen=True)
class Fit:
    """A trained network and what was seen on the way.

    ``losses`` holds the sum of the loss over the outputs for every batch, before its step;
    ``gradient_norm`` is the Euclidean norm of the whole gradient at the first step.
    """

    params: Params
    losses: FloatArray
    gradient_norm: float

    def predict(self, X: FloatArray) -> FloatArray:
        return forward(self.params, X)[0]


def fit(
    params: Params,
    X: FloatArray,
    y: FloatArray,
    loss: Loss,
    batches: Sequence[IntArray],
    base_rate: float,
) -> Fit:
    moments = Moments.start(params)
    losses = np.zeros(len(batches))
    gradient_norm = 0.0
    for step, batch in enumerate(batches):
        values, grads = gradients(params, X[batch], y[batch], loss)
        losses[step] = values.sum()
        if step == 0:
            squares = [(grad**2).sum() for layer in grads for grad in layer]
            gradient_norm = float(np.sqrt(sum(squares)))
        rate = 0.5 * base_rate * (1.0 + np.cos(np.pi * step / len(batches)))
        params, moments = adam_step(params, grads, moments, rate)
    return Fit(params, losses, gradient_norm)
