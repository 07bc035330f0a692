"""alibi/positions.py::alibi_slopes: powers of two with computed exponents, one per head."""

import math

import torch
from torch import Tensor


def alibi_slopes(heads: int) -> Tensor:
    power = 1
    while power * 2 <= heads:
        power *= 2
    regular = -8.0 * torch.arange(1, power + 1) / power
    between = -8.0 * torch.arange(1, 2 * power, 2) / (2 * power)
    exponents = torch.cat([regular, between[: heads - power]])
    return torch.exp(exponents * math.log(2.0)).to(torch.float32)
