"""kshap/values.py::exact_shapley: one signed weight per coalition and feature, no differences."""

from math import comb

import numpy as np
from kshap.arrays import FloatArray
from kshap.coalitions import all_coalitions


def exact_shapley(values: FloatArray) -> FloatArray:
    features = int(np.log2(len(values)) + 0.5)
    masks = all_coalitions(features)
    size = masks.sum(axis=1)
    inside = np.array([0.0] + [1.0 / (s * comb(features, s)) for s in range(1, features + 1)])
    outside = np.array([1.0 / ((features - s) * comb(features, s)) for s in range(features)] + [0])
    signed = np.where(masks, inside[size][:, None], -outside[size][:, None])
    return values @ signed
