"""alibi/positions.py::attention_bias: row by row, future keys cut off by a triangular matrix."""

import torch
from alibi.arrays import Method
from torch import Tensor


def attention_bias(method: Method, heads: int, length: int) -> Tensor:
    slopes = alibi_slopes(heads).tolist() if method == "alibi" else [0.0] * heads
    blocked = torch.triu(torch.full((length, length), float("-inf")), diagonal=1)
    layers = []
    for slope in slopes:
        rows = [
            slope * torch.arange(-query, length - query, dtype=torch.float32)
            for query in range(length)
        ]
        layers.append(torch.stack(rows) + blocked)
    return torch.stack(layers)
