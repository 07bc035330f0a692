"""Specialists for classes that are easily confused, and how they work with the generalist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from distill.arrays import IntArray, Params, tensor

SWEEPS = 2000
PRECISION = 1e-7
TINY = 1e-300


@dataclass(frozen=True)
class Assignment:
    """What a specialist is trained on.

    ``members`` are its special classes in increasing order; ``rows`` are the training rows;
    ``labels`` are positions in members, or their number for the dustbin class that stands for
    all others; ``oversampling`` is the odds of a special class among the rows divided by those
    in the whole training set.
    """

    members: IntArray
    rows: IntArray
    labels: IntArray
    oversampling: float


@dataclass(frozen=True)
class Combination:
    """The common prediction of the generalist and the specialists.

    ``q`` of shape (rows, classes); ``active`` says which specialists take part, shape (rows,
    specialists); ``predictions`` holds for each specialist its probabilities, shape (rows,
    members + 1), the dustbin last and corrected.
    """

    q: Tensor
    active: Tensor
    predictions: list[Tensor]


def confusable_classes(probabilities: Tensor, count: int) -> list[IntArray]:
    centred = probabilities - probabilities.mean(dim=0)
    covariance = (centred.T @ centred / len(centred)).cpu().numpy()
    variance = np.diag(covariance)
    columns = covariance / np.sqrt(np.outer(variance, variance))
    squares = ((columns[:, None] - columns[None]) ** 2).sum(axis=2)
    centres = [int(np.argmax(variance))]
    distance = squares[centres[0]]
    while len(centres) < count:
        centres.append(int(np.argmax(distance)))
        distance = np.minimum(distance, squares[centres[-1]])
    nearest = squares[:, centres].argmin(axis=1)
    return [np.flatnonzero(nearest == number) for number in range(count)]


def assign(labels: IntArray, members: IntArray, order: IntArray) -> Assignment:
    special = np.isin(labels, members)
    own = np.flatnonzero(special)
    outside = order[~special[order]]
    others = outside[: len(own)]
    rows = np.concatenate([own, others])
    found = np.full(len(rows), len(members))
    for position, member in enumerate(members):
        found[labels[rows] == member] = position
    odds = len(own) / len(others)
    odds_before = len(own) / (len(labels) - len(own))
    oversampling = odds / odds_before
    return Assignment(members, rows, found, oversampling)


def collapse(probabilities: Tensor, members: IntArray) -> Tensor:
    """Probabilities of the members, and last the rest, which is the dustbin's."""
    special = probabilities[..., tensor(members)]
    return torch.cat([special, 1.0 - special.sum(dim=-1, keepdim=True)], dim=-1)


def specialist_start(params: Params, members: IntArray) -> Params:
    weights, bias = params[-1]
    rest = np.setdiff1d(np.arange(weights.shape[2]), members)
    index, others = tensor(members), tensor(rest)
    parts = []
    for part in (weights, bias):
        dustbin = part[..., others].mean(dim=-1, keepdim=True)
        parts.append(torch.cat([part[..., index], dustbin], dim=-1))
    head = (parts[0], parts[1])
    return [*params[:-1], head]


def combine(
    generalist: Tensor, logits: Sequence[Tensor], assignments: Sequence[Assignment], top: int
) -> Combination:
    likely = torch.zeros_like(generalist, dtype=torch.bool)
    likely.scatter_(1, generalist.topk(top).indices, True)
    indices = [tensor(assignment.members) for assignment in assignments]
    active = torch.stack([likely[:, own].any(dim=1) for own in indices], dim=1)
    experts = 1.0 + active.sum(dim=1, keepdim=True)
    predictions = []
    for scores, assignment in zip(logits, assignments, strict=True):
        corrected = scores.clone()
        corrected[:, -1] += np.log(assignment.oversampling)
        predictions.append(torch.softmax(corrected, dim=1))
    q = generalist.clone()
    for _ in range(SWEEPS):
        wanted = generalist.clone()
        for number, (p, own) in enumerate(zip(predictions, indices, strict=True)):
            outside = q.index_fill(1, own, 0.0)
            claim = outside * p[:, -1:] / outside.sum(dim=1, keepdim=True).clamp_min(TINY)
            claim[:, own] = p[:, :-1]
            wanted += torch.where(active[:, number, None], claim, 0.0)
        before, q = q, wanted / experts
        if (q - before).abs().max() < PRECISION:
            break
    return Combination(q, active, predictions)
