"""kshap/evaluation.py::report: loops over the rows."""

from collections.abc import Sequence

import numpy as np
from kshap.arrays import Explanation, FloatArray


def report(
    explanations: Sequence[Explanation], exact: FloatArray, predictions: FloatArray
) -> Report:
    squares, worst, angles, gaps = [], [], [], []
    for explanation, truth, prediction in zip(explanations, exact, predictions, strict=True):
        difference = explanation.phi - truth
        squares.append(np.mean(difference**2))
        worst.append(max(abs(difference)))
        product = np.sqrt((explanation.phi @ explanation.phi) * (truth @ truth))
        angles.append(1.0 - explanation.phi @ truth / product)
        gaps.append(abs(explanation.base + explanation.phi.sum() - prediction))
    root = float(np.sqrt(np.mean(squares)))
    return Report(root, float(np.mean(worst)), float(np.mean(angles)), float(np.mean(gaps)))
