"""lgc/baselines.py::support_vectors: scikit-learn's kernel, and one machine after the other."""

import numpy as np
from lgc.arrays import FloatArray, Labelled
from sklearn.metrics.pairwise import rbf_kernel


def support_vectors(X: FloatArray, labelled: Labelled, width: float, box: float) -> FloatArray:
    kernel = rbf_kernel(X, X[labelled.points], gamma=0.5 / width**2)
    gram = kernel[labelled.points]
    scores = np.empty(labelled.Y.shape)
    for c in range(scores.shape[1]):
        sign = np.where(labelled.Y[labelled.points, c] > 0.0, 1.0, -1.0)
        signed = np.zeros(len(sign))
        output = np.zeros(len(sign))
        for _ in range(10000):
            moved = 0.0
            for i in reversed(range(len(sign))):
                a = sign[i] * signed[i] + (1.0 - sign[i] * output[i])
                step = sign[i] * min(max(a, 0.0), box) - signed[i]
                if step != 0.0:
                    signed[i] += step
                    output += step * gram[:, i]
                    moved = max(moved, abs(step))
            if moved < 1e-9:
                break
        scores[:, c] = kernel @ signed
    return scores
