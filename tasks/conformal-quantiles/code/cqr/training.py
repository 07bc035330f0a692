"""Training a network with mini-batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cqr.arrays import FloatArray, IntArray, Params
from cqr.losses import Loss
from cqr.network import backward, forward
from cqr.optimiser import Moments, adam_step, learning_rate


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
        output, inputs = forward(params, X[batch])
        values, grad_output = loss(y[batch], output)
        losses[step] = values.sum()
        grads = backward(params, inputs, grad_output)
        if step == 0:
            squares = [(grad**2).sum() for layer in grads for grad in layer]
            gradient_norm = float(np.sqrt(sum(squares)))
        rate = learning_rate(base_rate, step, len(batches))
        params, moments = adam_step(params, grads, moments, rate)
    return Fit(params, losses, gradient_norm)
