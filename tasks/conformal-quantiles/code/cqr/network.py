"""A multilayer perceptron: ReLU between the layers, none behind the last."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cqr.arrays import FloatArray, Params


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
    inputs: list[FloatArray] = []
    hidden = X
    for weights, bias in params[:-1]:
        inputs.append(hidden)
        hidden = np.maximum(hidden @ weights + bias, 0.0)
    inputs.append(hidden)
    weights, bias = params[-1]
    return hidden @ weights + bias, inputs


def backward(params: Params, inputs: Sequence[FloatArray], grad_output: FloatArray) -> Params:
    grads: Params = []
    delta = grad_output
    for index in range(len(params) - 1, -1, -1):
        weights, _ = params[index]
        grads.append((inputs[index].T @ delta, delta.sum(axis=0)))
        if index > 0:
            delta = (delta @ weights.T) * (inputs[index] > 0)
    grads.reverse()
    return grads
