"""cqr/training.py::adam_step: moments moved towards the gradient, corrections as factors."""

import numpy as np
from cqr.arrays import Params


def adam_step(
    params: Params, grads: Params, moments: Moments, rate: float
) -> tuple[Params, Moments]:
    t = 1 + moments.step
    first_factor = 1.0 / (1.0 - BETA1**t)
    second_factor = 1.0 / (1.0 - BETA2**t)
    new_params: Params = []
    new_first: Params = []
    new_second: Params = []
    for index in range(len(params)):
        p, m, v = [], [], []
        for which in (0, 1):
            g = grads[index][which]
            m.append(g + BETA1 * (moments.first[index][which] - g))
            v.append(g * g + BETA2 * (moments.second[index][which] - g * g))
            root = np.sqrt(second_factor * v[which])
            p.append(params[index][which] - first_factor * rate * m[which] / (root + EPSILON))
        new_params.append((p[0], p[1]))
        new_first.append((m[0], m[1]))
        new_second.append((v[0], v[1]))
    return new_params, Moments(step=t, first=new_first, second=new_second)
