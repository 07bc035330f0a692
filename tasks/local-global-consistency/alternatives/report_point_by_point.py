"""lgc/evaluation.py::report: point by point, with the measures summed up."""

import math

import numpy as np
from lgc.arrays import FloatArray, IntArray, Labelled, Report


def report(F: FloatArray, y: IntArray, labelled: Labelled) -> Report:
    classes = F.shape[1]
    known = set(labelled.points.tolist())
    rows = [i for i in range(len(y)) if i not in known]
    totals = np.zeros(5)
    balance = np.zeros(classes)
    for i in rows:
        p = np.clip(F[i], 0.0, None)
        p = p / p.sum() if p.sum() > 0.0 else np.ones(classes) / classes
        truth = int(y[i])
        decision = int(np.argmax(F[i]))
        others = np.delete(p, truth)
        entropy = -sum(value * math.log(value, classes) for value in p.tolist() if value > 0.0)
        brier = (1.0 - p[truth]) ** 2 + (others**2).sum()
        totals += [decision != truth, p[truth], p[truth] - others.max(), entropy, brier]
        balance[decision] += 1.0
        balance[truth] -= 1.0
    means = totals / len(rows)
    return Report(*(float(m) for m in means), float(np.abs(balance).sum() / (2 * len(rows))))
