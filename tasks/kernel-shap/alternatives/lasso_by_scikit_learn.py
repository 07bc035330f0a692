"""kshap/regression.py::lasso: scikit-learn's coordinate descent on rescaled rows."""

import numpy as np
from kshap.arrays import CoalitionSample, FloatArray
from sklearn.linear_model import Lasso


def lasso(sample: CoalitionSample, values: FloatArray, base: float, strength: float) -> FloatArray:
    root = np.sqrt(sample.weights)
    design = root[:, None] * sample.masks
    target = root * (values - base)
    largest = np.abs(design.T @ target).max()
    model = Lasso(
        alpha=strength * largest / len(target), fit_intercept=False, tol=1e-12, max_iter=100_000
    )
    return np.asarray(model.fit(design, target).coef_)
