"""distill/losses.py::distillation_loss: the library's cross entropies, student by student."""

import torch
from torch import Tensor


def distillation_loss(
    logits: Tensor, soft: Tensor, labels: Tensor, temperatures: Tensor, hard_weights: Tensor
) -> Tensor:
    entropy = torch.nn.functional.cross_entropy
    results = []
    for z, s, temperature, weight in zip(logits, soft, temperatures, hard_weights, strict=True):
        by_teacher = entropy(z / temperature, s)
        by_labels = entropy(z, labels)
        results.append(weight * by_labels + (1 - weight) * by_teacher * temperature.square())
    return torch.stack(results)
