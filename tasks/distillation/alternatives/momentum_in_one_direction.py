"""distill/network.py::momentum_step: Nesterov's step as one direction, norms by a square root."""

import torch
from distill.arrays import Params


def momentum_step(
    params: Params,
    grads: Params,
    velocity: Params,
    rate: float,
    momentum: float,
    limit: float,
) -> tuple[Params, Params]:
    flat_params = [part for layer in params for part in layer]
    flat_grads = [part for layer in grads for part in layer]
    flat_speeds = [part for layer in velocity for part in layer]
    speeds, moved = [], []
    for index, (p, g, v) in enumerate(zip(flat_params, flat_grads, flat_speeds, strict=True)):
        direction = momentum**2 * v - (1.0 + momentum) * rate * g
        new = p + direction
        if index % 2 == 0:
            norm = (new * new).sum(dim=1, keepdim=True).sqrt()
            new = torch.where(norm > limit, new * (limit / norm), new)
        moved.append(new)
        speeds.append(momentum * v - rate * g)
    return (
        [(moved[i], moved[i + 1]) for i in range(0, len(moved), 2)],
        [(speeds[i], speeds[i + 1]) for i in range(0, len(speeds), 2)],
    )
