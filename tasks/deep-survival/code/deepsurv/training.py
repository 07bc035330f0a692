"""Training by gradient descent on all patients at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepsurv.arrays import FloatArray, Params
from deepsurv.cohorts import Cohort
from deepsurv.cox import partial_likelihood
from deepsurv.network import backward, forward

BETA1 = 0.9
BETA2 = 0.999
EPSILON = 1e-8


@dataclass(frozen=True)
class Schedule:
    """Number of steps, learning rate of the first, its decay per step, and weight decay."""

    steps: int
    rate: float
    decay: float
    penalty: float


@dataclass(frozen=True)
class DeepSurv:
    """A trained network and what was seen on the way.

    For every step, before it was taken: ``losses`` holds the loss with its penalty, ``norms``
    the Euclidean norm of its whole gradient.
    """

    params: Params
    losses: FloatArray
    norms: FloatArray

    def __call__(self, X: FloatArray) -> FloatArray:
        return forward(self.params, X)[0]


def global_norm(arrays: Params) -> float:
    """Euclidean norm of all numbers of all layers together."""
    return float(np.sqrt(sum((array**2).sum() for layer in arrays for array in layer)))


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


def adam_step(
    params: Params, grads: Params, moments: Moments, rate: float
) -> tuple[Params, Moments]:
    step = moments.step + 1
    moved, first, second = [], [], []
    for layer, grad, m, v in zip(params, grads, moments.first, moments.second, strict=True):
        m_new = [BETA1 * old + (1.0 - BETA1) * g for old, g in zip(m, grad, strict=True)]
        v_new = [BETA2 * old + (1.0 - BETA2) * g**2 for old, g in zip(v, grad, strict=True)]
        change = [
            rate * (a / (1.0 - BETA1**step)) / (np.sqrt(b / (1.0 - BETA2**step)) + EPSILON)
            for a, b in zip(m_new, v_new, strict=True)
        ]
        moved.append((layer[0] - change[0], layer[1] - change[1]))
        first.append((m_new[0], m_new[1]))
        second.append((v_new[0], v_new[1]))
    return moved, Moments(step, first, second)


def train(params: Params, cohort: Cohort, schedule: Schedule) -> DeepSurv:
    moments = Moments.start(params)
    losses = np.zeros(schedule.steps)
    norms = np.zeros(schedule.steps)
    for step in range(schedule.steps):
        log_risk, inputs = forward(params, cohort.X)
        loss, gradient = partial_likelihood(cohort.time, cohort.event, log_risk)
        decay = sum((weights**2).sum() for weights, _ in params)
        losses[step] = loss + schedule.penalty * decay
        grads = backward(params, inputs, gradient, schedule.penalty)
        norms[step] = global_norm(grads)
        rate = schedule.rate / (1.0 + step * schedule.decay)
        params, moments = adam_step(params, grads, moments, rate)
    return DeepSurv(params, losses, norms)
