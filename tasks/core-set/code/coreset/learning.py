"""Batch active learning: fit, choose points, have them labelled, and again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coreset.arrays import FloatArray, IntArray, Query
from coreset.classifier import fit, log_probabilities


@dataclass(frozen=True)
class Problem:
    """Embedded pool and test rows with their classes, and distances within the pool."""

    H: FloatArray
    y: IntArray
    H_test: FloatArray
    y_test: IntArray
    distances: FloatArray
    classes: int


@dataclass(frozen=True)
class History:
    """One entry per fit: number of labels, accuracy and loss on the test rows.

    ``labelled`` are the points labelled in the end, in the order of their choice; ``weights``
    the last classifier.
    """

    counts: IntArray
    accuracy: FloatArray
    loss: FloatArray
    labelled: IntArray
    weights: FloatArray


def active_learning(
    problem: Problem, initial: IntArray, query: Query, rounds: int, penalty: float
) -> History:
    labelled = initial
    counts, accuracy, loss = [], [], []
    for step in range(rounds + 1):
        H, y = problem.H[labelled], problem.y[labelled]
        weights = fit(H, y, problem.classes, penalty)
        log_p = log_probabilities(weights, problem.H_test)
        rows = np.arange(len(problem.y_test))
        counts.append(len(labelled))
        accuracy.append(np.mean(log_p.argmax(axis=1) == problem.y_test))
        loss.append(-log_p[rows, problem.y_test].mean())
        if step < rounds:
            labelled = np.concatenate([labelled, query(weights, labelled)])
    return History(np.array(counts), np.array(accuracy), np.array(loss), labelled, weights)


def curve_area(counts: IntArray, values: FloatArray) -> float:
    """Mean height of a learning curve over the number of labels (trapezoidal rule)."""
    widths = np.diff(counts)
    middles = 0.5 * (values[1:] + values[:-1])
    return float(widths @ middles / widths.sum())
