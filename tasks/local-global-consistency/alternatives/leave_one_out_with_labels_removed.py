"""lgc/selection.py::leave_one_out: takes each label away and spreads the others."""

import numpy as np
from lgc.arrays import FloatArray, Labelled, LeftOut


def leave_one_out(matrix: FloatArray, labelled: Labelled, alpha: float) -> LeftOut:
    kernel = (1.0 - alpha) * np.linalg.inv(np.eye(len(matrix)) - alpha * matrix)
    errors, squares, influences = [], [], []
    for point in labelled.points:
        Y = labelled.Y.copy()
        Y[point] = 0.0
        row = kernel[point] @ Y
        truth = labelled.Y[point]
        errors.append(truth[np.argmax(row)] == 0.0)
        squares.append(np.sum((row / row.sum() - truth) ** 2))
        influences.append(kernel[point, point])
    return LeftOut(float(np.mean(errors)), float(np.mean(squares)), float(np.mean(influences)))
