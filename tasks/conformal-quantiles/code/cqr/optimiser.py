"""Adam and its learning rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cqr.arrays import Params

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


def learning_rate(base: float, step: int, total: int) -> float:
    """Cosine decay from ``base`` at step 0 to 0 at step ``total``."""
    return base * 0.5 * (1.0 + np.cos(np.pi * step / total))


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
