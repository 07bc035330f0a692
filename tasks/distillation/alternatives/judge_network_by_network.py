"""distill/evaluation.py::judge: one network after the other."""

import torch
from torch import Tensor


def judge(logits: Tensor, labels: Tensor) -> Report:
    rows = torch.arange(len(labels), device=labels.device)
    measures = []
    for z in logits:
        p = z.softmax(dim=1)
        right = z[rows, labels]
        rivals = z.clone()
        rivals[rows, labels] = -float("inf")
        gap = right - rivals.max(dim=1).values
        target = torch.zeros_like(p)
        target[rows, labels] = 1.0
        measures.append(
            (
                torch.nn.functional.cross_entropy(z, labels),
                (gap > 0).double().mean(),
                gap.mean(),
                (p - target).square().sum(dim=1).mean(),
                torch.special.entr(p).sum(dim=1).mean(),
            )
        )
    return Report(*(torch.stack(column) for column in zip(*measures, strict=True)))
