"""Maximum likelihood by stochastic gradient descent with Adam."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from realnvp.arrays import FloatArray, IntArray
from realnvp.flow import Flow, log_prior

BETA1 = 0.9
BETA2 = 0.99
EPSILON = 1e-8


@dataclass(frozen=True)
class Schedule:
    """Learning rate, number of first steps in which it rises, and weight of the penalty."""

    rate: float
    warmup: int
    penalty: float


@dataclass(frozen=True)
class History:
    """For every step, before it was taken: the loss with its penalty, the gradient's norm, and
    the mean log-determinant per dimension of the batch."""

    losses: FloatArray
    norms: FloatArray
    log_dets: FloatArray


class Adam:
    """Adam with bias correction, for one tensor that is changed in place."""

    def __init__(self, theta: torch.Tensor) -> None:
        self.theta = theta
        self.steps = 0
        self.first = torch.zeros_like(theta)
        self.second = torch.zeros_like(theta)

    @torch.no_grad()
    def step(self, gradient: torch.Tensor, rate: float) -> None:
        """Move against the gradient."""
        self.steps += 1
        self.first.lerp_(gradient, 1.0 - BETA1)
        self.second.lerp_(gradient.square(), 1.0 - BETA2)
        mean = self.first / (1.0 - BETA1**self.steps)
        root = torch.sqrt(self.second / (1.0 - BETA2**self.steps))
        self.theta -= rate * mean / (root + EPSILON)


def train(flow: Flow, x: torch.Tensor, batches: IntArray, schedule: Schedule) -> History:
    optimiser = Adam(flow.theta)
    gains = [gain for network in flow.networks() for gain in network.gains()]
    dims = x[0].numel()
    seen = []
    for step, rows in enumerate(batches):
        rise = min(1.0, (step + 1) / schedule.warmup)
        fall = 0.5 * (1.0 + np.cos(np.pi * step / len(batches)))
        batch = x[torch.as_tensor(rows, device=x.device)]
        z, log_det = flow.forward(batch, training=True)
        likelihood = (log_prior(z) + log_det).mean() / dims
        loss = schedule.penalty * torch.cat(gains).square().sum() - likelihood
        pieces = torch.autograd.grad(
            loss, flow.parameters, allow_unused=True, materialize_grads=True
        )
        gradient = torch.cat([piece.flatten() for piece in pieces])
        optimiser.step(gradient, schedule.rate * rise * fall)
        numbers = (loss, gradient.square().sum().sqrt(), log_det.mean() / dims)
        seen.append([number.item() for number in numbers])
    losses, norms, log_dets = np.array(seen).T
    return History(losses, norms, log_dets)
