"""Soft targets, and the losses that students learn from."""

from __future__ import annotations

import torch
from torch import Tensor


def soft_targets(logits: Tensor, temperatures: Tensor, geometric: Tensor) -> Tensor:
    soft = []
    for temperature, by_logs in zip(temperatures, geometric, strict=True):
        log_p = torch.log_softmax(logits / temperature, dim=-1)
        if by_logs:
            pooled = log_p.mean(dim=0)
            soft.append(torch.softmax(pooled, dim=1))
        else:
            soft.append(log_p.exp().mean(dim=0))
    return torch.stack(soft)


def distillation_loss(
    logits: Tensor, soft: Tensor, labels: Tensor, temperatures: Tensor, hard_weights: Tensor
) -> Tensor:
    scale = temperatures[:, None, None]
    log_q = torch.log_softmax(logits / scale, dim=-1)
    soft_loss = -(soft * log_q).sum(dim=-1).mean(dim=-1)
    log_p = torch.log_softmax(logits, dim=-1)
    index = labels.expand(len(logits), -1)[..., None]
    hard_loss = -log_p.gather(-1, index)[..., 0].mean(dim=-1)
    return (1.0 - hard_weights) * temperatures**2 * soft_loss + hard_weights * hard_loss


def matching_gap(student: Tensor, teacher: Tensor, temperatures: Tensor) -> tuple[Tensor, Tensor]:
    difference = student - teacher
    centred = difference - difference.mean(dim=1, keepdim=True)
    limit = centred / student.shape[1]
    gaps, lengths = [], []
    for temperature in temperatures:
        q = torch.softmax(student / temperature, dim=1)
        p = torch.softmax(teacher / temperature, dim=1)
        gradient = temperature * (q - p)
        gaps.append((gradient - limit).norm() / limit.norm())
        lengths.append(gradient.norm() / limit.norm())
    return torch.stack(gaps), torch.stack(lengths)
