"""realnvp/shapes.py::coupling_mask: zeros into which slices of ones are written."""

import torch
from realnvp.arrays import Shape


def coupling_mask(pattern: str, shape: Shape, flipped: bool) -> torch.Tensor:
    mask = torch.zeros(shape, dtype=torch.float64)
    if pattern == "channels":
        mask[: shape[0] // 2] = 1.0
    elif pattern == "checkerboard":
        mask[:, 0::2, 1::2] = 1.0
        mask[:, 1::2, 0::2] = 1.0
    else:
        raise ValueError(pattern)
    return 1.0 - mask if flipped else mask
