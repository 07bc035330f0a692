"""Group attributes of users and items."""

from __future__ import annotations

import numpy as np


def activity_groups(train: np.ndarray, n_groups: int) -> np.ndarray:
    """Group index of every user, by how many training ratings the user gave."""
    n_users = len(train)
    counts = (train > 0).sum(axis=1)
    order = np.argsort(counts, kind="stable")
    rank = np.empty(n_users, dtype=np.int64)
    rank[order] = np.arange(n_users)
    return rank * n_groups // n_users


def popularity_groups(train: np.ndarray, n_groups: int) -> np.ndarray:
    """Group index of every item, from the short head to the long tail."""
    counts = (train > 0).sum(axis=0)
    order = np.argsort(-counts, kind="stable")
    sorted_counts = counts[order]
    before = np.cumsum(sorted_counts) - sorted_counts
    groups = np.empty(len(counts), dtype=np.int64)
    groups[order] = before * n_groups // counts.sum()
    return groups
