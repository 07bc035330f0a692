"""realnvp/training.py::train: gradients by backward(), all rates computed beforehand."""

import math

import numpy as np
import torch
from realnvp.arrays import IntArray
from realnvp.flow import Flow


def train(flow: Flow, x: torch.Tensor, batches: IntArray, schedule: Schedule) -> History:
    adam = Adam(flow.theta)
    steps, (_, *shape) = len(batches), x.shape
    dims = math.prod(shape)
    counts = np.arange(steps)
    rates = schedule.rate * np.minimum(1.0, (counts + 1) / schedule.warmup)
    rates = rates * np.cos(0.5 * np.pi * counts / steps) ** 2
    columns = np.zeros((3, steps))
    for k in range(steps):
        for parameter in flow.parameters:
            parameter.grad = None
        z, log_det = flow.forward(x[batches[k].tolist()], training=True)
        energy = 0.5 * z.pow(2).sum() / len(z) + 0.5 * dims * math.log(2.0 * math.pi)
        penalty = sum((g**2).sum() for net in flow.networks() for g in net.gains())
        loss = (energy - log_det.mean()) / dims + schedule.penalty * penalty
        loss.backward()
        pieces = [
            torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten()
            for p in flow.parameters
        ]
        gradient = torch.cat(pieces)
        columns[:, k] = (
            float(loss.detach()),
            float(torch.linalg.norm(gradient)),
            float(log_det.detach().mean()) / dims,
        )
        adam.step(gradient, float(rates[k]))
    return History(*columns)
