"""Every random draw of an experiment, each from a stream of its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


class Noise:
    """Random numbers by purpose: a draw for one purpose never shifts another's."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def _stream(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, purpose])

    def split_keys(self, n_ratings: int) -> np.ndarray:
        """One uniform key per rating."""
        return self._stream(0).random(n_ratings)

    def factors(self, n_rows: int, n_factors: int) -> np.ndarray:
        """Initial factors of the matrix factorisation."""
        return 0.1 * self._stream(1).standard_normal((n_rows, n_factors))

    def bpr_batches(self, train: np.ndarray, n_steps: int, size: int) -> Iterator[np.ndarray]:
        """Batches of (user, rated item, unrated item), each with at most ``size`` rows."""
        stream = self._stream(4)
        users, items = np.nonzero(train)
        for _ in range(n_steps):
            chosen = stream.integers(len(users), size=size)
            negatives = stream.integers(train.shape[1], size=size)
            triples = np.stack([users[chosen], items[chosen], negatives], axis=1)
            yield triples[train[users[chosen], negatives] == 0]

    def gumbel(self, n_samples: int, n_users: int, n_items: int) -> np.ndarray:
        """Standard Gumbel noise to evaluate a policy."""
        return self._stream(2).gumbel(size=(n_samples, n_users, n_items))

    def training_gumbel(self, n_samples: int, n_users: int, n_items: int) -> np.ndarray:
        """Standard Gumbel noise to train a policy."""
        return self._stream(3).gumbel(size=(n_samples, n_users, n_items))
