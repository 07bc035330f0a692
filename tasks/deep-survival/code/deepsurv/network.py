"""The network: fully connected layers with ELU, and one linear output, the log risk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepsurv.arrays import FloatArray, Params


def forward(params: Params, X: FloatArray) -> tuple[FloatArray, list[FloatArray]]:
    inputs = [X]
    for weights, bias in params[:-1]:
        z = inputs[-1] @ weights + bias
        inputs.append(np.where(z > 0, z, np.expm1(np.minimum(z, 0.0))))
    weights, bias = params[-1]
    output = inputs[-1] @ weights + bias
    return output[:, 0], inputs


def backward(
    params: Params, inputs: Sequence[FloatArray], gradient: FloatArray, penalty: float
) -> Params:
    grads: Params = []
    delta = gradient[:, None]
    for index in range(len(params) - 1, -1, -1):
        weights, _ = params[index]
        hidden = inputs[index]
        weight_grad = hidden.T @ delta + 2.0 * penalty * weights
        bias_grad = delta.sum(axis=0)
        grads.append((weight_grad, bias_grad))
        if index > 0:
            slope = np.where(hidden > 0, 1.0, hidden + 1.0)
            delta = (delta @ weights.T) * slope
    return grads[::-1]
