"""distill/losses.py::soft_targets: all students at once, geometric means as normalised products."""

import torch
from torch import Tensor


def soft_targets(logits: Tensor, temperatures: Tensor, geometric: Tensor) -> Tensor:
    scaled = logits.unsqueeze(0) / temperatures.reshape(-1, 1, 1, 1)
    scaled = scaled - scaled.max(dim=3, keepdim=True).values
    powers = scaled.exp()
    by_sum = (powers / powers.sum(dim=3, keepdim=True)).sum(dim=1) / logits.shape[0]
    centre = scaled.mean(dim=1)
    products = (centre - centre.amax(dim=2, keepdim=True)).exp()
    by_product = products / products.sum(dim=2, keepdim=True)
    return torch.where(geometric.reshape(-1, 1, 1), by_product, by_sum)
