"""deepsurv/network.py::backward: pre-activations computed again, slopes by the exponential."""

from collections.abc import Sequence

import numpy as np
from deepsurv.arrays import FloatArray, Params


def backward(
    params: Params, inputs: Sequence[FloatArray], gradient: FloatArray, penalty: float
) -> Params:
    deltas = [gradient.reshape(-1, 1)]
    for layer in range(len(params) - 1, 0, -1):
        weights, bias = params[layer - 1]
        z = inputs[layer - 1] @ weights + bias
        slope = np.exp(np.minimum(z, 0.0))
        deltas.insert(0, np.einsum("ij,kj->ik", deltas[0], params[layer][0]) * slope)
    return [
        (received.T @ delta + penalty * (weights + weights), np.ones(len(delta)) @ delta)
        for (weights, _), received, delta in zip(params, inputs, deltas, strict=True)
    ]
