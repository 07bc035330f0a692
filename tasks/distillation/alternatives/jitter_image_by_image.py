"""distill/images.py::jitter: slices of every image, one after the other."""

import torch
from torch import Tensor


def jitter(X: Tensor, shifts: Tensor, side: int) -> Tensor:
    images = X.reshape(-1, side, side)
    result = torch.zeros_like(images)
    for source, target, (down, right) in zip(images, result, shifts.tolist(), strict=True):
        top, left = max(down, 0), max(right, 0)
        height, width = side - abs(down), side - abs(right)
        if height > 0 and width > 0:
            from_top, from_left = max(-down, 0), max(-right, 0)
            part = source[from_top : from_top + height, from_left : from_left + width]
            target[top : top + height, left : left + width] = part
    return result.reshape(len(X), side * side)
