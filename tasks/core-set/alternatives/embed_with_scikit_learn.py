"""coreset/features.py::embed: scikit-learn's scaler, and the pool's rows apart from the others."""

import numpy as np
from coreset.arrays import FloatArray
from sklearn.preprocessing import StandardScaler


def embed(X: FloatArray, pool: int, directions: FloatArray, offsets: FloatArray) -> FloatArray:
    kept = np.flatnonzero(np.ptp(X[:pool], axis=0) > 0)
    scaler = StandardScaler().fit(X[:pool, kept])
    layer = directions[kept] / len(kept) ** 0.5
    parts = []
    for rows in (X[:pool, kept], X[pool:, kept]):
        scaled = scaler.transform(rows).clip(-CLIP, CLIP)
        activation = scaled @ layer + offsets
        parts.append(activation * (activation > 0))
    centre = parts[0].mean(axis=0)
    spread = np.sqrt(parts[0].var(axis=0).sum())
    return np.vstack([(part - centre) / spread for part in parts])
