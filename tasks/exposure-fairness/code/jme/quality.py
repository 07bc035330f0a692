"""Ranking quality, and how evenly exposure is spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Quality:
    """Ranking quality, averaged over sampled rankings and over users with a relevant item.

    Attributes:
        ndcg: Normalised discounted cumulative gain at the cutoff.
        recall: Share of the reachable relevant items above the cutoff.
        mrr: Reciprocal rank of the first relevant item.
    """

    ndcg: float
    recall: float
    mrr: float


def ranking_quality(ranks: np.ndarray, relevant: np.ndarray, cutoff: int) -> Quality:
    """Quality of sampled rankings against the held-out relevance."""
    judged = relevant.any(axis=1)
    ranks, relevant = ranks[:, judged], relevant[judged]
    reachable = np.minimum(relevant.sum(axis=1), cutoff)

    hits = relevant & (ranks <= cutoff)
    dcg = np.where(hits, 1.0 / np.log2(1.0 + ranks), 0.0).sum(axis=2)
    discounts = 1.0 / np.log2(np.arange(2, cutoff + 2))
    ideal = np.cumsum(discounts)[reachable - 1]
    first = np.where(relevant, ranks, np.inf).min(axis=2)
    return Quality(
        ndcg=float(np.mean(dcg / ideal)),
        recall=float(np.mean(hits.sum(axis=2) / reachable)),
        mrr=float(np.mean(1.0 / first)),
    )


def gini(system: np.ndarray) -> float:
    """Gini coefficient of the items' exposure, summed over users."""
    exposure = np.sort(system.sum(axis=0))
    n_items = len(exposure)
    weights = 2.0 * np.arange(1, n_items + 1) - n_items - 1.0
    return float((weights * exposure).sum() / (n_items * exposure.sum()))


def group_shares(system: np.ndarray, item_groups: np.ndarray) -> np.ndarray:
    """Share of all exposure that each item group gets."""
    totals = np.bincount(item_groups, weights=system.sum(axis=0))
    return totals / totals.sum()
