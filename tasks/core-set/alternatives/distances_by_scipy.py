"""coreset/features.py::pairwise_distances: scipy's cdist."""

from coreset.arrays import FloatArray
from scipy.spatial.distance import cdist


def pairwise_distances(A: FloatArray, B: FloatArray) -> FloatArray:
    return cdist(A, B, metric="euclidean")
