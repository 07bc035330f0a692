"""orf/preparation.py::standardise: scikit-learn's StandardScaler behind a variance filter."""

import numpy as np
from orf.arrays import FloatArray
from sklearn.feature_selection import VarianceThreshold
from sklearn.preprocessing import StandardScaler


def standardise(train: FloatArray, test: FloatArray) -> tuple[FloatArray, FloatArray]:
    varying = VarianceThreshold().fit(train)
    train, test = varying.transform(train), varying.transform(test)
    scaler = StandardScaler().fit(train)
    limits = (-CLIP, CLIP)
    return np.clip(scaler.transform(train), *limits), np.clip(scaler.transform(test), *limits)
