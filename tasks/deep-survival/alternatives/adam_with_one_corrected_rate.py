"""deepsurv/training.py::adam_step: both bias corrections in one factor of the rate."""

import numpy as np
from deepsurv.arrays import Params


def adam_step(
    params: Params,
    grads: Params,
    moments: Moments,
    rate: float,
) -> tuple[Params, Moments]:
    count = moments.step + 1
    root = np.sqrt(1.0 - 0.999**count)
    corrected = rate * root / (1.0 - 0.9**count)
    result: tuple[Params, Params, Params] = ([], [], [])
    for index, layer in enumerate(params):
        pieces = []
        for part in (0, 1):
            g = grads[index][part]
            m = moments.first[index][part] + 0.1 * (g - moments.first[index][part])
            v = moments.second[index][part] + 0.001 * (g * g - moments.second[index][part])
            pieces.append((layer[part] - corrected * m / (np.sqrt(v) + 1e-8 * root), m, v))
        for target, both in zip(result, zip(*pieces, strict=True), strict=True):
            target.append(both)
    return result[0], Moments(count, result[1], result[2])
