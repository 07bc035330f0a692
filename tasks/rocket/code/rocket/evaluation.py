"""How well scores separate the classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rocket.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Judgement:
    """Share of wrong classes, mean margin, its first decile, its mean over its spread, rank."""

    error: float
    margin: float
    low_margin: float
    contrast: float
    rank: float


def judge(scores: FloatArray, labels: IntArray) -> Judgement:
    rows = np.arange(len(scores))
    own = scores[rows, labels]
    others = scores.copy()
    others[rows, labels] = -np.inf
    margins = own - others.max(axis=1)
    above = (others > own[:, None]).sum(axis=1)
    return Judgement(
        error=float((scores.argmax(axis=1) != labels).mean()),
        margin=float(margins.mean()),
        low_margin=float(np.quantile(margins, 0.1)),
        contrast=float(margins.mean() / margins.std()),
        rank=float((1.0 + above).mean()),
    )
