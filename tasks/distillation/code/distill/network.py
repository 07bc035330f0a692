"""Stacks of networks: fully connected layers with ReLU, and how they move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from distill import draws
from distill.arrays import Params, tensor

KEEP = 0.8
"""Probability with which dropout keeps a hidden unit."""


def initial_params(seed: int, models: Sequence[int], sizes: Sequence[int]) -> Params:
    """He's initial weights, biases of 0, for the models with these numbers."""
    normals = [draws.weight_normals(seed, model, sizes) for model in models]
    params = []
    for layer in zip(*normals, strict=True):
        weights = np.stack(layer) * np.sqrt(2.0 / len(layer[0]))
        params.append((tensor(weights), tensor(np.zeros((len(models), 1, weights.shape[2])))))
    return params


def forward(params: Params, X: Tensor, kept: Sequence[Tensor] | None = None) -> Tensor:
    hidden = X
    if X.dim() == 2:
        models = len(params[0][0])
        hidden = X.expand(models, *X.shape)
    for index, (weights, bias) in enumerate(params[:-1]):
        z = torch.baddbmm(bias, hidden, weights)
        hidden = torch.relu(z)
        if kept is not None:
            hidden = hidden * kept[index]
            hidden = hidden / KEEP
    weights, bias = params[-1]
    return torch.baddbmm(bias, hidden, weights)


def momentum_step(
    params: Params,
    grads: Params,
    velocity: Params,
    rate: float,
    momentum: float,
    limit: float,
) -> tuple[Params, Params]:
    moved: Params = []
    speeds: Params = []
    for layer, grad, velocity_before in zip(params, grads, velocity, strict=True):
        weights, bias = layer
        weight_speed = momentum * velocity_before[0] - rate * grad[0]
        bias_speed = momentum * velocity_before[1] - rate * grad[1]
        weights = weights + momentum * weight_speed - rate * grad[0]
        bias = bias + momentum * bias_speed - rate * grad[1]
        norms = torch.linalg.vector_norm(weights, dim=1, keepdim=True)
        weights = weights * torch.clamp(limit / norms, max=1.0)
        moved.append((weights, bias))
        speeds.append((weight_speed, bias_speed))
    return moved, speeds
