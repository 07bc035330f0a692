"""Masks of the coupling layers, and the squeezing of images."""

from __future__ import annotations

import torch

from realnvp.arrays import Shape


def coupling_mask(pattern: str, shape: Shape, flipped: bool) -> torch.Tensor:
    channels, height, width = shape
    if pattern == "checkerboard":
        rows = torch.arange(height).view(1, height, 1)
        columns = torch.arange(width).view(1, 1, width)
        ones = (rows + columns) % 2 == 1
    elif pattern == "channels":
        ones = torch.arange(channels).view(channels, 1, 1) < channels // 2
    else:
        raise ValueError(f"unknown pattern {pattern!r}")
    mask = ones.expand(channels, height, width)
    if flipped:
        mask = ~mask
    return mask.to(torch.float64)


def squeeze(h: torch.Tensor, undo: bool) -> torch.Tensor:
    rows, channels, height, width = h.shape
    if undo:
        channels //= 4
        split = h.reshape(rows, channels, 2, 2, height, width)
        moved = split.permute(0, 1, 4, 2, 5, 3)
        return moved.reshape(rows, channels, 2 * height, 2 * width)
    height //= 2
    width //= 2
    split = h.reshape(rows, channels, height, 2, width, 2)
    moved = split.permute(0, 1, 3, 5, 2, 4)
    return moved.reshape(rows, 4 * channels, height, width)
