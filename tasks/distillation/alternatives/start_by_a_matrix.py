"""distill/specialists.py::specialist_start: the old outputs times a matrix."""

import torch
from distill.arrays import IntArray, Params


def specialist_start(params: Params, members: IntArray) -> Params:
    weights, bias = params[-1]
    classes, width = weights.shape[-1], len(members) + 1
    select = torch.zeros(classes, width, dtype=weights.dtype, device=weights.device)
    select[:, -1] = 1.0 / (classes - len(members))
    for position, member in enumerate(members):
        select[int(member)] = 0.0
        select[int(member), position] = 1.0
    return [*params[:-1], (weights @ select, bias @ select)]
