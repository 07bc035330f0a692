"""Kernel SHAP: model-agnostic SHAP values from a sample of coalitions."""

from __future__ import annotations

import numpy as np

from kshap.arrays import CoalitionSample, Explanation, FloatArray, Model
from kshap.regression import constrained_regression, lasso
from kshap.values import coalition_values


def kernel_shap(
    model: Model,
    x: FloatArray,
    background: FloatArray,
    sample: CoalitionSample,
    strength: float = 0.0,
) -> Explanation:
    empty = np.zeros((1, len(x)), dtype=bool)
    base = float(coalition_values(model, x, background, empty)[0])
    full = float(model(x[None, :])[0])
    values = coalition_values(model, x, background, sample.masks)
    kept = np.ones(len(x), dtype=bool)
    if strength > 0.0:
        kept = lasso(sample, values, base, strength) != 0.0
    part = CoalitionSample(sample.masks[:, kept], sample.weights)
    phi = np.zeros(len(x))
    phi[kept] = constrained_regression(part, values, base, full)
    return Explanation(base, phi)
