"""How well networks predict, and how much they know about the wrong answers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Report:
    """Measures of every model of a stack, each of shape (models,).

    ``nll`` is the mean cross entropy, ``accuracy`` the share of right answers, ``margin`` the
    mean of the right class's logit minus the largest other, ``brier`` the mean squared distance
    from the labels, ``spread`` the mean entropy of the predictions.
    """

    nll: Tensor
    accuracy: Tensor
    margin: Tensor
    brier: Tensor
    spread: Tensor


def judge(logits: Tensor, labels: Tensor) -> Report:
    log_p = torch.log_softmax(logits, dim=-1)
    p = log_p.exp()
    truth = torch.nn.functional.one_hot(labels, logits.shape[-1]).bool().expand_as(logits)
    right = logits[truth].reshape(logits.shape[:2])
    best_other = logits.masked_fill(truth, -torch.inf).amax(dim=-1)
    margin = right - best_other
    return Report(
        nll=-log_p[truth].reshape(margin.shape).mean(dim=1),
        accuracy=(margin > 0).to(logits.dtype).mean(dim=1),
        margin=margin.mean(dim=1),
        brier=((p - truth.to(p.dtype)) ** 2).sum(dim=-1).mean(dim=1),
        spread=-(p * log_p).sum(dim=-1).mean(dim=1),
    )


def dark_knowledge(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float
) -> tuple[Tensor, Tensor, Tensor]:
    classes = torch.arange(teacher.shape[1], device=teacher.device)
    wrong = classes[None, :] != labels[:, None]
    shape = (len(labels), teacher.shape[1] - 1)
    log_target = torch.log_softmax(teacher[wrong].reshape(shape) / temperature, dim=1)
    others = torch.stack([logits[wrong].reshape(shape) for logits in student])
    log_q = torch.log_softmax(others / temperature, dim=-1)
    distance = (log_target.exp() * (log_target - log_q)).sum(dim=-1).mean(dim=-1)
    entropy = -(log_q.exp() * log_q).sum(dim=-1).mean(dim=-1)
    agree = log_q.argmax(dim=-1) == log_target.argmax(dim=-1)
    return distance, entropy, agree.to(entropy.dtype).mean(dim=-1)
