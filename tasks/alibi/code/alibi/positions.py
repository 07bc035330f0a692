"""Three ways to tell a transformer where its tokens are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from alibi.arrays import Method

BASE = 10000.0


def alibi_slopes(heads: int) -> Tensor:
    power = 1 << (heads.bit_length() - 1)
    ratio = 2.0 ** (-8.0 / power)
    slopes = [ratio ** (head + 1) for head in range(power)]
    finer = math.sqrt(ratio)
    for head in range(heads - power):
        slopes.append(finer ** (2 * head + 1))
    return torch.tensor(slopes, dtype=torch.float32)


def attention_bias(method: Method, heads: int, length: int) -> Tensor:
    positions = torch.arange(length)
    distance = positions[:, None] - positions[None, :]
    slopes = torch.zeros(heads)
    if method == "alibi":
        slopes = alibi_slopes(heads)
    bias = -slopes[:, None, None] * distance.to(torch.float32)
    future = distance < 0
    return bias.masked_fill(future, -math.inf)


def sinusoids(length: int, width: int) -> Tensor:
    positions = torch.arange(length, dtype=torch.float32)
    steps = torch.arange(0, width, 2, dtype=torch.float32)
    frequencies = BASE ** (-steps / width)
    angles = positions[:, None] * frequencies[None, :]
    table = torch.empty((length, width), dtype=torch.float32)
    table[:, 0::2] = torch.sin(angles)
    table[:, 1::2] = torch.cos(angles)
    return table


def rotate(x: Tensor) -> Tensor:
    *_, length, width = x.shape
    positions = torch.arange(length, dtype=x.dtype)
    pairs = torch.arange(width // 2, dtype=x.dtype)
    speeds = torch.exp(-2.0 * pairs / width * math.log(BASE))
    angles = torch.outer(positions, speeds)
    cos = torch.cos(angles)
    sin = torch.sin(angles)
    even, odd = x[..., 0::2], x[..., 1::2]
    first = even * cos - odd * sin
    second = even * sin + odd * cos
    return torch.stack([first, second], dim=-1).flatten(-2)
