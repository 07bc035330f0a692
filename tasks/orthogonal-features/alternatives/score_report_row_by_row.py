"""orf/regression.py::score_report: a loop over rows."""

import math

import numpy as np
from orf.arrays import FloatArray, IntArray


def score_report(scores: FloatArray, labels: IntArray) -> ScoreReport:
    margins, squares, losses = [], [], []
    for row, label in zip(scores, labels, strict=True):
        others = [score for index, score in enumerate(row) if index != label]
        margins.append(row[label] - max(others))
        squares += [(score + 1.0) ** 2 for score in others] + [(row[label] - 1.0) ** 2]
        losses.append(math.log(sum(math.exp(score) for score in row)) - row[label])
    tenth = math.ceil(len(margins) / 10)
    return ScoreReport(
        squared=float(np.mean(squares)),
        hinge=float(np.mean([max(0.0, 1.0 - margin) for margin in margins])),
        log_loss=float(np.mean(losses)),
        margin=float(np.mean(margins)),
        low_margin=float(np.mean(sorted(margins)[:tenth])),
    )
