"""Training on windows of text."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from alibi import draws
from alibi.arrays import FloatArray, IntArray, Params
from alibi.network import Architecture, forward

BETA1, BETA2, EPSILON = 0.9, 0.98, 1e-8


@dataclass(frozen=True)
class Schedule:
    """Length of a window, windows per step, steps, and the learning rate."""

    length: int
    windows: int
    steps: int = 200
    warmup: int = 25
    peak: float = 0.015
    floor: float = 0.001
    limit: float = 0.4


@dataclass(frozen=True)
class LanguageModel:
    """A trained network and what was seen on the way.

    For every step: ``losses`` holds the loss on its windows before it was taken, ``norms`` and
    ``clipped`` the Euclidean norm of its whole gradient before and after clipping, and ``moves``
    the Euclidean norm of the change of all weights.
    """

    architecture: Architecture
    params: Params
    losses: FloatArray
    norms: FloatArray
    clipped: FloatArray
    moves: FloatArray


def global_norm(tensors: Params) -> float:
    """Euclidean norm of all numbers of all tensors together."""
    everything = torch.cat([tensor.flatten() for tensor in tensors.values()])
    return float(torch.linalg.vector_norm(everything))


@dataclass(frozen=True)
class Moments:
    """Adam's state: steps taken, and running first and second moments of the gradient."""

    step: int
    first: Params
    second: Params

    @classmethod
    def start(cls, params: Params) -> Moments:
        def zeros() -> Params:
            return {name: torch.zeros_like(weights) for name, weights in params.items()}

        return cls(0, zeros(), zeros())


def learning_rate(step: int, schedule: Schedule) -> float:
    if step < schedule.warmup:
        return schedule.peak * (step + 1) / schedule.warmup
    rest = schedule.steps - schedule.warmup
    progress = (step - schedule.warmup) / rest
    wave = 0.5 * (1.0 + math.cos(math.pi * progress))
    return schedule.floor + (schedule.peak - schedule.floor) * wave


def clip_gradients(grads: Params, limit: float) -> tuple[Params, float]:
    squares = torch.zeros(())
    for grad in grads.values():
        squares = squares + (grad**2).sum()
    norm = math.sqrt(squares.item())
    if norm <= limit:
        return grads, norm
    scale = limit / norm
    clipped = {}
    for name, grad in grads.items():
        clipped[name] = scale * grad
    return clipped, norm


def adam_step(
    params: Params, grads: Params, moments: Moments, rate: float
) -> tuple[Params, Moments]:
    step = moments.step + 1
    moved: Params = {}
    first: Params = {}
    second: Params = {}
    for name, weights in params.items():
        grad = grads[name]
        m = BETA1 * moments.first[name] + (1.0 - BETA1) * grad
        v = BETA2 * moments.second[name] + (1.0 - BETA2) * grad**2
        m_hat = m / (1.0 - BETA1**step)
        v_hat = v / (1.0 - BETA2**step)
        moved[name] = weights - rate * m_hat / (torch.sqrt(v_hat) + EPSILON)
        first[name], second[name] = m, v
    return moved, Moments(step, first, second)


def window_loss(params: Params, architecture: Architecture, windows: Tensor) -> Tensor:
    """Mean cross-entropy in nats of all predictions in the windows."""
    logits, _ = forward(params, architecture, windows[:, :-1])
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())


def train(
    params: Params,
    architecture: Architecture,
    tokens: IntArray,
    starts: IntArray,
    schedule: Schedule,
) -> LanguageModel:
    stream = torch.as_tensor(tokens)
    offsets = torch.arange(schedule.length + 1)
    moments = Moments.start(params)
    records = []
    for step in range(schedule.steps):
        windows = stream[torch.as_tensor(starts[step])[:, None] + offsets]
        leaves = {name: weights.detach().requires_grad_() for name, weights in params.items()}
        loss = window_loss(leaves, architecture, windows)
        found = torch.autograd.grad(loss, list(leaves.values()))
        with torch.no_grad():
            raw = dict(zip(leaves, found, strict=True))
            grads, norm = clip_gradients(raw, schedule.limit)
            rate = learning_rate(step, schedule)
            moved, moments = adam_step(params, grads, moments, rate)
            change = {name: moved[name] - params[name] for name in params}
        records.append((loss.item(), norm, global_norm(grads), global_norm(change)))
        params = moved
    return LanguageModel(architecture, params, *np.array(records).T)


def fit(
    architecture: Architecture, tokens: IntArray, schedule: Schedule, seed: int
) -> LanguageModel:
    """Train from random weights on random windows."""
    positions = len(tokens) - schedule.length
    starts = draws.window_starts(seed, schedule.steps, schedule.windows, positions)
    return train(architecture.start(seed), architecture, tokens, starts, schedule)
