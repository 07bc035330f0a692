"""cqr/network.py::gradients: its own forward pass, slopes from the sums before activation."""

import numpy as np
from cqr.arrays import FloatArray, Params
from cqr.losses import Loss


def gradients(
    params: Params, X: FloatArray, y: FloatArray, loss: Loss
) -> tuple[FloatArray, Params]:
    values, slopes = [X], []
    for weights, bias in params[:-1]:
        z = np.dot(values[-1], weights) + bias
        positive = z >= 0
        decay = np.exp(np.where(positive, 0.0, z))
        values.append(np.where(positive, z, decay - 1.0))
        slopes.append(np.where(positive, 1.0, decay))
    weights, bias = params[-1]
    losses, back = loss(y, np.dot(values[-1], weights) + bias)
    result = [(np.einsum("ri,ro->io", values[-1], back), np.einsum("ro->o", back))]
    for layer in range(len(params) - 2, -1, -1):
        back = np.dot(back, params[layer + 1][0].T) * slopes[layer]
        result.insert(0, (np.dot(values[layer].T, back), back.sum(axis=0)))
    return losses, result
