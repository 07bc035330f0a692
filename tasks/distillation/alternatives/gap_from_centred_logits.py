"""distill/losses.py::matching_gap: logits centred one by one, norms from sums of squares."""

import torch
from torch import Tensor


def matching_gap(student: Tensor, teacher: Tensor, temperatures: Tensor) -> tuple[Tensor, Tensor]:
    z = student - student.mean(dim=1, keepdim=True)
    v = teacher - teacher.mean(dim=1, keepdim=True)
    limit = (z - v) / z.size(1)
    scale = temperatures.reshape(-1, 1, 1)
    gradients = ((z / scale).softmax(dim=2) - (v / scale).softmax(dim=2)) * scale
    size = limit.square().sum()
    misses = (gradients - limit).square().sum(dim=(1, 2))
    return torch.sqrt(misses / size), torch.sqrt(gradients.square().sum(dim=(1, 2)) / size)
