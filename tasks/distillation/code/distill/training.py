"""Training stacks of networks by stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from distill.arrays import FloatArray, Params
from distill.images import jitter
from distill.losses import distillation_loss
from distill.network import forward, momentum_step


@dataclass(frozen=True)
class Lesson:
    """What a stack of networks learns from.

    Rows ``X`` (rows, features) with their ``labels`` (rows,); for every model the ``soft``
    targets (models, rows, classes), the temperature and the weight of the labels (models,).
    """

    X: Tensor
    labels: Tensor
    soft: Tensor
    temperatures: Tensor
    hard_weights: Tensor


@dataclass(frozen=True)
class Noise:
    """Noise in training, drawn before it: one entry per step.

    ``kept`` holds per hidden layer which units dropout keeps, shape (steps, models, size of the
    batch, units); ``shifts`` how far each image is moved, shape (steps, size of the batch, 2),
    or None; ``side`` is the side of an image.
    """

    kept: Sequence[Tensor]
    shifts: Tensor | None
    side: int


@dataclass(frozen=True)
class Schedule:
    """Learning rate of the first step, its factor per step, momentum, limit of the norms."""

    rate: float
    decay: float
    momentum: float
    limit: float


@dataclass(frozen=True)
class Trained:
    """The trained networks, and the loss of every step before it was taken, (steps, models)."""

    params: Params
    losses: FloatArray


def train(
    params: Params, lesson: Lesson, batches: Tensor, schedule: Schedule, noise: Noise | None
) -> Trained:
    velocity = [(torch.zeros_like(w), torch.zeros_like(b)) for w, b in params]
    losses = np.zeros((len(batches), len(params[0][0])))
    for step, rows in enumerate(batches):
        X, kept = lesson.X[rows], None
        if noise is not None:
            kept = [units[step] for units in noise.kept]
            if noise.shifts is not None:
                X = jitter(X, noise.shifts[step], noise.side)
        leaves = [(w.detach().requires_grad_(), b.detach().requires_grad_()) for w, b in params]
        logits = forward(leaves, X, kept)
        loss = distillation_loss(
            logits,
            lesson.soft[:, rows],
            lesson.labels[rows],
            lesson.temperatures,
            lesson.hard_weights,
        )
        flat = torch.autograd.grad(loss.sum(), [part for layer in leaves for part in layer])
        grads = list(zip(flat[::2], flat[1::2], strict=True))
        rate = schedule.rate * schedule.decay**step
        with torch.no_grad():
            params, velocity = momentum_step(
                params, grads, velocity, rate, schedule.momentum, schedule.limit
            )
        losses[step] = loss.detach().cpu().numpy()
    return Trained(params, losses)
