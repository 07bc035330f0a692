"""jme/policy.py::sample_rankings: all samples in one sort, ranks by sorting the order."""

import numpy as np


def sample_rankings(scores: np.ndarray, temperature: float, gumbel: np.ndarray) -> np.ndarray:
    perturbed = scores[None, :, :] / temperature + gumbel
    order = (-perturbed).argsort(axis=-1, kind="stable")
    return order.argsort(axis=-1, kind="stable").astype(np.int64) + 1
