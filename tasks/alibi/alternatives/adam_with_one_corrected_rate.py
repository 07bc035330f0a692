"""alibi/training.py::adam_step: both bias corrections in one factor of the rate."""

import torch
from alibi.arrays import Params


def adam_step(
    params: Params, grads: Params, moments: Moments, rate: float
) -> tuple[Params, Moments]:
    count = moments.step + 1
    root = (1.0 - 0.98**count) ** 0.5
    corrected = rate * root / (1.0 - 0.9**count)
    first = {k: torch.lerp(old, grads[k], 0.1) for k, old in moments.first.items()}
    second = {k: torch.lerp(old, grads[k] * grads[k], 0.02) for k, old in moments.second.items()}
    moved = {
        k: torch.addcdiv(weights, first[k], second[k].sqrt() + 1e-8 * root, value=-corrected)
        for k, weights in params.items()
    }
    return moved, Moments(count, first, second)
