"""alibi/positions.py::rotate: pairs as complex numbers, multiplied by points of the unit circle."""

import torch
from torch import Tensor


def rotate(x: Tensor) -> Tensor:
    *_, length, width = x.shape
    speeds = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * speeds
    circle = torch.polar(torch.ones_like(angles), angles).to(torch.complex64)
    numbers = torch.view_as_complex(x.reshape(*x.shape[:-1], width // 2, 2).contiguous())
    return torch.view_as_real(numbers * circle).reshape(x.shape)
