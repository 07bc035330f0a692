"""Transfer sets in which classes are missing, and how the student's biases make up for it."""

from __future__ import annotations

import torch
from torch import Tensor

REACH = 100.0
"""The shift is between -REACH and REACH."""

HALVINGS = 60


def shift_bias(logits: Tensor, labels: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
    chosen = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    chosen[group] = True
    target = chosen[labels].to(logits.dtype).mean()
    low = torch.full((len(logits),), -REACH, dtype=logits.dtype, device=logits.device)
    high = -low
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        moved = logits + middle[:, None, None] * chosen
        mass = torch.softmax(moved, dim=-1)[..., chosen].sum(dim=-1).mean(dim=-1)
        low = torch.where(mass < target, middle, low)
        high = torch.where(mass < target, high, middle)
    shift = (low + high) / 2.0
    return shift, logits + shift[:, None, None] * chosen
