"""Shapley values of a model's features, by definition and by sampling."""

from __future__ import annotations

from math import factorial

import numpy as np

from kshap.arrays import FloatArray, IntArray, Masks, Model
from kshap.coalitions import all_coalitions

CHUNK = 256
"""Coalitions that are evaluated at once."""


def coalition_values(
    model: Model, x: FloatArray, background: FloatArray, masks: Masks
) -> FloatArray:
    values = np.empty(len(masks))
    for start in range(0, len(masks), CHUNK):
        part = masks[start : start + CHUNK]
        mixed = np.where(part[:, None, :], x, background)
        outputs = model(mixed.reshape(-1, len(x))).reshape(len(part), len(background))
        values[start : start + CHUNK] = outputs.mean(axis=1)
    return values


def exact_shapley(values: FloatArray) -> FloatArray:
    features = len(values).bit_length() - 1
    masks = all_coalitions(features)
    sizes = masks.sum(axis=1)
    codes = np.arange(len(values))
    weights = np.array(
        [
            factorial(size) * factorial(features - size - 1) / factorial(features)
            for size in range(features)
        ]
    )
    phi = np.empty(features)
    for feature in range(features):
        without = codes[~masks[:, feature]]
        gains = values[without + 2**feature] - values[without]
        phi[feature] = weights[sizes[without]] @ gains
    return phi


def sampling_values(
    model: Model, x: FloatArray, background: FloatArray, orders: IntArray, rows: IntArray
) -> tuple[FloatArray, FloatArray]:
    count, features = orders.shape
    contributions = np.empty((count, features))
    mixed = background[rows].copy()
    before = model(mixed)
    samples = np.arange(count)
    for step in range(features):
        entering = orders[:, step]
        mixed[samples, entering] = x[entering]
        after = model(mixed)
        contributions[samples, entering] = after - before
        before = after
    error = contributions.std(axis=0, ddof=1) / np.sqrt(count)
    return contributions.mean(axis=0), error
