"""Queries by the uncertainty of the classifier, to compare with."""

from __future__ import annotations

import numpy as np

from coreset.arrays import BoolArray, FloatArray, IntArray
from coreset.classifier import log_softmax

TINY = 1e-300


def uncertainty(log_p: FloatArray, measure: str) -> FloatArray:
    probabilities = np.exp(log_p)
    if measure == "entropy":
        terms = np.where(probabilities > 0.0, probabilities * log_p, 0.0)
        return -terms.sum(axis=1) / np.log(log_p.shape[1])
    ordered = np.sort(probabilities, axis=1)
    if measure == "margin":
        return 1.0 - (ordered[:, -1] - ordered[:, -2])
    if measure == "confidence":
        return 1.0 - ordered[:, -1]
    raise ValueError(f"unknown measure of uncertainty: {measure}")


def mutual_information(
    weights: FloatArray, H: FloatArray, masks: BoolArray, keep: float
) -> tuple[FloatArray, FloatArray]:
    mean = np.zeros((len(H), weights.shape[1]))
    mean_square = np.zeros_like(mean)
    mean_entropy = np.zeros(len(H))
    for mask in masks:
        thinned = H * (mask / keep)
        log_p = log_softmax(thinned @ weights[:-1] + weights[-1])
        probabilities = np.exp(log_p)
        mean += probabilities / len(masks)
        mean_square += probabilities**2 / len(masks)
        mean_entropy -= (probabilities * log_p).sum(axis=1) / len(masks)
    logs = np.log(np.maximum(mean, TINY))
    information = -(mean * logs).sum(axis=1) - mean_entropy
    spread = np.sqrt(np.maximum(mean_square - mean**2, 0.0)).mean(axis=1)
    return information, spread


def most_uncertain(scores: FloatArray, labelled: IntArray, budget: int) -> IntArray:
    """The unlabelled points with the highest scores, highest first, the earlier if equal."""
    masked = scores.copy()
    masked[labelled] = -np.inf
    return np.argsort(-masked, kind="stable")[:budget]
