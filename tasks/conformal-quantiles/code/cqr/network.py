"""A multilayer perceptron: exponential linear units between the layers, none behind the last."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cqr.arrays import FloatArray, Params
from cqr.losses import Loss


def initial_params(normals: Sequence[FloatArray], output_bias: FloatArray) -> Params:
    params: Params = []
    last = len(normals) - 1
    for index, noise in enumerate(normals):
        fan_in, fan_out = noise.shape
        if index < last:
            weights = noise * np.sqrt(2.0 / fan_in)
            bias = np.zeros(fan_out)
        else:
            weights = noise * np.sqrt(1.0 / fan_in)
            bias = np.array(output_bias, dtype=np.float64)
        params.append((weights, bias))
    return params


def forward(params: Params, X: FloatArray) -> tuple[FloatArray, list[FloatArray]]:
    """The outputs, shape (rows, outputs), and what each layer received as its input."""
    inputs = [X]
    for weights, bias in params[:-1]:
        total = inputs[-1] @ weights + bias
        inputs.append(np.maximum(total, 0.0) + np.exp(np.minimum(total, 0.0)) - 1.0)
    weights, bias = params[-1]
    return inputs[-1] @ weights + bias, inputs


def gradients(
    params: Params, X: FloatArray, y: FloatArray, loss: Loss
) -> tuple[FloatArray, Params]:
    output, inputs = forward(params, X)
    losses, delta = loss(y, output)
    grads: Params = []
    for index in range(len(params) - 1, -1, -1):
        weights, _ = params[index]
        grads.append((inputs[index].T @ delta, delta.sum(axis=0)))
        if index > 0:
            slope = np.minimum(inputs[index], 0.0) + 1.0
            delta = (delta @ weights.T) * slope
    grads.reverse()
    return losses, grads
