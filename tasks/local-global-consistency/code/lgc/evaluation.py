"""How good scores are."""

from __future__ import annotations

import numpy as np

from lgc.arrays import FloatArray, IntArray, Labelled, Report


def report(F: FloatArray, y: IntArray, labelled: Labelled) -> Report:
    free = np.ones(len(y), dtype=bool)
    free[labelled.points] = False
    scores, truth = F[free], y[free]
    classes = scores.shape[1]
    positive = np.maximum(scores, 0.0)
    sums = positive.sum(axis=1, keepdims=True)
    shares = np.full(scores.shape, 1.0 / classes)
    np.divide(positive, sums, out=shares, where=sums > 0.0)
    decided = scores.argmax(axis=1)
    target = np.eye(classes)[truth]
    own = shares[target == 1.0]
    rival = np.where(target == 1.0, -np.inf, shares).max(axis=1)
    logs = np.log(shares, out=np.zeros(shares.shape), where=shares > 0.0)
    entropy = -(shares * logs).sum(axis=1) / np.log(classes)
    counted = np.eye(classes)[decided].mean(axis=0)
    return Report(
        error=float(np.mean(decided != truth)),
        confidence=float(own.mean()),
        margin=float((own - rival).mean()),
        entropy=float(entropy.mean()),
        brier=float(((shares - target) ** 2).sum(axis=1).mean()),
        imbalance=float(0.5 * np.abs(counted - target.mean(axis=0)).sum()),
    )
