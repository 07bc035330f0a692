"""distill/specialists.py::combine: the objective's gradient by autograd, used as a step."""

from collections.abc import Sequence

import torch
from torch import Tensor


def combine(
    generalist: Tensor, logits: Sequence[Tensor], assignments: Sequence[Assignment], top: int
) -> Combination:
    called = torch.argsort(generalist, dim=1, descending=True)[:, :top]
    predictions, columns = [], []
    for scores, assignment in zip(logits, assignments, strict=True):
        extra = torch.zeros(scores.shape[1], dtype=scores.dtype, device=scores.device)
        extra[-1] = float(assignment.oversampling)
        extra[-1] = extra[-1].log()
        predictions.append((scores + extra).softmax(dim=1))
        index = torch.as_tensor(assignment.members, device=called.device)
        columns.append((called[:, :, None] == index).any(dim=2).any(dim=1))
    active = torch.stack(columns, dim=1)
    z = generalist.log().clone().requires_grad_(True)
    for _ in range(400):
        log_q = z.log_softmax(dim=1)
        loss = -(generalist * log_q).sum(dim=1)
        for number, (p, assignment) in enumerate(zip(predictions, assignments, strict=True)):
            index = torch.as_tensor(assignment.members, device=called.device)
            rest = log_q.index_fill(1, index, -torch.inf).logsumexp(dim=1)
            cross = -(p[:, :-1] * log_q[:, index]).sum(dim=1) - p[:, -1] * rest
            loss = loss + torch.where(active[:, number], cross, torch.zeros_like(cross))
        (slope,) = torch.autograd.grad(loss.sum(), z)
        step = slope / (1.0 + active.sum(dim=1, keepdim=True))
        z = (log_q.exp() - step).detach().clamp_min(1e-300).log().requires_grad_(True)
    return Combination(z.detach().softmax(dim=1), active, predictions)
