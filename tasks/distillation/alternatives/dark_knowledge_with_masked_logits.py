"""distill/evaluation.py::dark_knowledge: the right class masked out, not removed."""

import torch
from torch import Tensor


def dark_knowledge(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float
) -> tuple[Tensor, Tensor, Tensor]:
    right = torch.nn.functional.one_hot(labels, teacher.shape[1]).bool()
    t = (teacher / temperature).masked_fill(right, -1e9)
    q = (student / temperature).masked_fill(right, -1e9)
    p = t.softmax(dim=1)
    difference = (t.log_softmax(dim=1) - q.log_softmax(dim=2)).masked_fill(right, 0.0)
    distance = (p * difference).sum(dim=2).mean(dim=1)
    entropy = torch.special.entr(q.softmax(dim=2)).sum(dim=2).mean(dim=1)
    same = t.argmax(dim=1) == q.argmax(dim=2)
    return distance, entropy, same.double().mean(dim=1)
