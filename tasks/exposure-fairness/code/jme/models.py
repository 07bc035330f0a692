"""Recommenders: each gives a user x item matrix of preference scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jme.config import Config
from jme.noise import Noise


def popularity_scores(train: np.ndarray, config: Config, noise: Noise) -> np.ndarray:
    """Pop: the same scores for every user."""
    counts = (train > 0).sum(axis=0)
    return np.tile(np.log1p(counts), (len(train), 1))


def cosine_neighbours(train: np.ndarray, n_neighbours: int, shrinkage: float) -> np.ndarray:
    """Item x item weights of the neighbourhood model: column ``j`` weighs what predicts ``j``."""
    n_items = train.shape[1]
    norms = np.sqrt((train**2).sum(axis=0))
    similarity = (train.T @ train) / (np.outer(norms, norms) + shrinkage)
    np.fill_diagonal(similarity, 0.0)
    order = np.argsort(-similarity, axis=0, kind="stable")
    nearest = order[:n_neighbours]
    columns = np.arange(n_items)
    weights = np.zeros((n_items, n_items))
    weights[nearest, columns] = similarity[nearest, columns]
    return weights


def knn_scores(train: np.ndarray, config: Config, noise: Noise) -> np.ndarray:
    """ItemKNN."""
    return train @ cosine_neighbours(train, config.knn_neighbours, config.knn_shrinkage)


def als_half_step(ratings: np.ndarray, fixed: np.ndarray, alpha: float, lam: float) -> np.ndarray:
    """Optimal factors of the rows of ``ratings``, given the factors of its columns."""
    n_factors = fixed.shape[1]
    preference = (ratings > 0).astype(float)
    confidence = 1.0 + alpha * ratings
    gram = fixed.T @ fixed
    outer = fixed[:, :, None] * fixed[:, None, :]
    extra = np.tensordot(confidence - 1.0, outer, axes=1)
    systems = gram + extra + lam * np.eye(n_factors)
    targets = (confidence * preference) @ fixed
    return np.linalg.solve(systems, targets[:, :, None])[:, :, 0]


def wrmf_scores(train: np.ndarray, config: Config, noise: Noise) -> np.ndarray:
    """WRMF: weighted matrix factorisation by alternating least squares."""
    item_factors = noise.factors(train.shape[1], config.n_factors)
    for _ in range(config.als_iterations):
        user_factors = als_half_step(train, item_factors, config.als_alpha, config.als_lambda)
        item_factors = als_half_step(train.T, user_factors, config.als_alpha, config.als_lambda)
    return user_factors @ item_factors.T


def bpr_step(
    user_factors: np.ndarray, item_factors: np.ndarray, triples: np.ndarray, config: Config
) -> tuple[np.ndarray, np.ndarray]:
    """Both factor matrices after one ascent step on a batch of (user, positive, negative)."""
    u, i, j = triples.T
    difference = item_factors[i] - item_factors[j]
    margin = (user_factors[u] * difference).sum(axis=1, keepdims=True)
    weight = 1.0 / (1.0 + np.exp(margin))
    user_step = np.zeros_like(user_factors)
    item_step = np.zeros_like(item_factors)
    np.add.at(user_step, u, weight * difference - config.bpr_lambda * user_factors[u])
    np.add.at(item_step, i, weight * user_factors[u] - config.bpr_lambda * item_factors[i])
    np.add.at(item_step, j, -weight * user_factors[u] - config.bpr_lambda * item_factors[j])
    rate = config.bpr_rate
    return user_factors + rate * user_step, item_factors + rate * item_step


def bpr_scores(train: np.ndarray, config: Config, noise: Noise) -> np.ndarray:
    """BPRMF: matrix factorisation for pairwise ranking."""
    n_users, n_items = train.shape
    factors = noise.factors(n_users + n_items, config.n_factors)
    user_factors, item_factors = factors[:n_users], factors[n_users:]
    for triples in noise.bpr_batches(train, config.bpr_steps, config.bpr_batch):
        user_factors, item_factors = bpr_step(user_factors, item_factors, triples, config)
    return user_factors @ item_factors.T


MODELS: dict[str, Callable[[np.ndarray, Config, Noise], np.ndarray]] = {
    "pop": popularity_scores,
    "knn": knn_scores,
    "bpr": bpr_scores,
    "wrmf": wrmf_scores,
}


def standardise(scores: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Scores on one scale for every user; seen items become unrankable."""
    unseen = ~seen
    n_unseen = unseen.sum(axis=1, keepdims=True)
    total = np.where(unseen, scores, 0.0).sum(axis=1, keepdims=True)
    centred = np.where(unseen, scores - total / n_unseen, 0.0)
    variance = (centred**2).sum(axis=1, keepdims=True) / n_unseen
    scaled = centred / (np.sqrt(variance) + 1e-12)
    return np.where(unseen, scaled, -np.inf)
