"""SHAP values of models whose structure is known."""

from __future__ import annotations

from itertools import pairwise
from math import comb

import numpy as np

from kshap.arrays import Explanation, FloatArray
from kshap.models import LinearModel, Network

SMALL = 1e-9
"""Differences below this count as none in the rescale rule."""


def linear_shap(model: LinearModel, x: FloatArray, background: FloatArray) -> Explanation:
    centre = background.mean(axis=0)
    phi = model.weights * (x - centre)
    base = model.intercept + float(model.weights @ centre)
    return Explanation(base, phi)


def max_shap(x: FloatArray, background: FloatArray) -> Explanation:
    phi = np.zeros(len(x))
    for reference in background:
        levels = np.unique(np.concatenate([x, reference]))
        for low, high in pairwise(levels):
            above = x >= high
            blocking = reference >= high
            a, b = int(above.sum()), int(blocking.sum())
            if a + b == 0 or (above & blocking).any():
                continue
            orders = comb(a + b, b)
            if a:
                phi[above] += (high - low) / (orders * a)
            if b:
                phi[blocking] -= (high - low) / (orders * b)
    base = float(background.max(axis=1).mean())
    return Explanation(base, phi / len(background))


def deep_shap(network: Network, x: FloatArray, background: FloatArray) -> Explanation:
    at_x, at_reference = x[None, :], background
    slopes = []
    for weights, bias in network.layers[:-1]:
        pre_x = at_x @ weights + bias
        pre_reference = at_reference @ weights + bias
        at_x, at_reference = np.maximum(pre_x, 0.0), np.maximum(pre_reference, 0.0)
        change = pre_x - pre_reference
        none = np.abs(change) < SMALL
        ratio = (at_x - at_reference) / np.where(none, 1.0, change)
        slopes.append(np.where(none, (pre_x > 0.0).astype(np.float64), ratio))
    multipliers = np.tile(network.layers[-1][0][:, 0], (len(background), 1))
    for (weights, _), slope in zip(reversed(network.layers[:-1]), reversed(slopes), strict=True):
        multipliers = (multipliers * slope) @ weights.T
    phi = (multipliers * (x - background)).mean(axis=0)
    return Explanation(float(network(background).mean()), phi)
