"""Stochastic ranking policies and the exposure that they give."""

from __future__ import annotations

import numpy as np


def sample_rankings(scores: np.ndarray, temperature: float, gumbel: np.ndarray) -> np.ndarray:
    """Ranks of the items, from 1, in rankings drawn from the Plackett-Luce policy."""
    n_users, n_items = scores.shape
    logits = scores / temperature
    places = np.broadcast_to(np.arange(1, n_items + 1), (n_users, n_items))
    ranks = np.empty(gumbel.shape, dtype=np.int64)
    for sample, noise in zip(ranks, gumbel, strict=True):
        order = np.argsort(-(logits + noise), axis=1, kind="stable")
        np.put_along_axis(sample, order, places, axis=1)
    return ranks


def deterministic_ranking(scores: np.ndarray) -> np.ndarray:
    """The ranks by score alone, as a single sample."""
    return sample_rankings(scores, 1.0, np.zeros((1, *scores.shape)))


def system_exposure(ranks: np.ndarray, gamma: float) -> np.ndarray:
    """Expected exposure of each item to each user under the RBP browsing model."""
    return (gamma ** (ranks - 1.0)).mean(axis=0)


def target_exposure(relevant: np.ndarray, gamma: float) -> np.ndarray:
    """Exposure under the ideal policy."""
    n_items = relevant.shape[1]
    n_relevant = relevant.sum(axis=1, keepdims=True).astype(float)
    n_others = n_items - n_relevant
    reach = gamma**n_relevant
    head = (1.0 - reach) / (1.0 - gamma)
    rest = (reach - gamma**n_items) / (1.0 - gamma)
    of_relevant = head / np.maximum(n_relevant, 1.0)
    of_others = rest / np.maximum(n_others, 1.0)
    return np.where(relevant, of_relevant, of_others)


def random_exposure(shape: tuple[int, int], gamma: float) -> np.ndarray:
    """Exposure under the policy that shuffles all items uniformly."""
    n_items = shape[1]
    return np.full(shape, (1.0 - gamma**n_items) / (n_items * (1.0 - gamma)))
