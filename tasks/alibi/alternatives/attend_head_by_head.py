"""alibi/network.py::attend: head by head, each merged by its own rows of the last projection."""

import torch
from alibi.arrays import Method
from alibi.positions import rotate
from torch import Tensor


def attend(
    x: Tensor, qkv: Tensor, merge: Tensor, bias: Tensor, method: Method
) -> tuple[Tensor, Tensor]:
    width = x.shape[2]
    size = width // len(bias)
    turn = rotate if method == "rotary" else (lambda vectors: vectors)
    total = torch.zeros_like(x)
    found = []
    for head, penalty in enumerate(bias):
        columns = slice(head * size, (head + 1) * size)
        queries = turn(x @ qkv[:, :width][:, columns])
        keys = turn(x @ qkv[:, width : 2 * width][:, columns])
        values = x @ qkv[:, 2 * width :][:, columns]
        scores = torch.einsum("bid,bjd->bij", queries * size**-0.5, keys) + penalty
        shares = torch.exp(scores - scores.max(dim=2, keepdim=True).values)
        shares = shares / shares.sum(dim=2, keepdim=True)
        total = total + torch.bmm(shares, values) @ merge[columns]
        found.append(shares)
    return total, torch.stack(found, dim=1)
