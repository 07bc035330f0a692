"""distill/transfer.py::shift_bias: Newton steps kept inside a bracket, from two masses of a row."""

import torch
from torch import Tensor


def shift_bias(logits: Tensor, labels: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
    inside = torch.isin(torch.arange(logits.shape[2], device=logits.device), group)
    wanted = torch.isin(labels, group).double().mean()
    odds = logits[..., inside].logsumexp(dim=2) - logits[..., ~inside].logsumexp(dim=2)
    low = torch.full_like(odds[:, 0], -REACH)
    high = torch.full_like(odds[:, 0], REACH)
    shift = torch.zeros_like(low)
    for _ in range(200):
        mass = torch.sigmoid(odds + shift[:, None])
        error = mass.mean(dim=1) - wanted
        low = torch.where(error < 0, shift, low)
        high = torch.where(error > 0, shift, high)
        slope = (mass * (1.0 - mass)).mean(dim=1)
        guess = shift - error / slope.clamp_min(1e-300)
        outside = (guess <= low) | (guess >= high)
        shift = torch.where(outside, 0.5 * (low + high), guess)
    result = logits.clone()
    result[..., inside] += shift[:, None, None]
    return shift, result
