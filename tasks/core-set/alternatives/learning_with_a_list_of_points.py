"""coreset/learning.py::active_learning: queries first, then one more classifier behind them."""

import numpy as np
from coreset.arrays import FloatArray, IntArray, Query
from coreset.classifier import fit, log_probabilities


def active_learning(
    problem: Problem, initial: IntArray, query: Query, rounds: int, penalty: float
) -> History:
    def train(points: list[int]) -> tuple[FloatArray, float, float]:
        weights = fit(problem.H[points], problem.y[points], problem.classes, penalty)
        log_p = log_probabilities(weights, problem.H_test)
        hits = (np.argmax(log_p, axis=1) == problem.y_test).mean()
        right = np.take_along_axis(log_p, problem.y_test[:, None], axis=1)
        return weights, float(hits), float(-right.mean())

    points = [int(point) for point in initial]
    entries = [(len(points), *train(points))]
    while len(entries) <= rounds:
        points += [int(point) for point in query(entries[-1][1], np.array(points))]
        entries.append((len(points), *train(points)))
    counts, weights, accuracy, loss = zip(*entries, strict=True)
    return History(
        np.array(counts), np.array(accuracy), np.array(loss), np.array(points), weights[-1]
    )
