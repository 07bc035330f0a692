"""Reductions to binary classification: tournaments between actions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offpolicy.arrays import FloatArray, IntArray, Log, design
from offpolicy.logistic import fit_binary

Pairs = list[tuple[int, int]]


def bracket(k: int) -> Pairs:
    """The matches of a tournament among k actions, in the order in which they are played.

    Actions are nodes 0 to k - 1 and match j is node k + j. Each round pairs its entrants in
    order; an odd one out enters the next round as its last.
    """
    pairs: Pairs = []
    entrants = list(range(k))
    while len(entrants) > 1:
        following = []
        for left, right in zip(entrants[::2], entrants[1::2], strict=False):
            following.append(k + len(pairs))
            pairs.append((left, right))
        if len(entrants) % 2:
            following.append(entrants[-1])
        entrants = following
    return pairs


@dataclass(frozen=True)
class Tree:
    """A tournament among k actions with one linear classifier per match.

    ``coefficients[j]`` belongs to match j of ``bracket(k)``, intercept first; the left side wins
    where the score is positive.
    """

    k: int
    coefficients: FloatArray

    def choose(self, X: FloatArray) -> IntArray:
        scores = design(X) @ self.coefficients.T
        rows = np.arange(len(X))
        winners = [np.full(len(X), action) for action in range(self.k)]
        for score, (left, right) in zip(scores.T, bracket(self.k), strict=True):
            side = np.where(score > 0.0, left, right)
            winners.append(np.stack(winners)[side, rows])
        return winners[-1]


def fit_filter_tree(X: FloatArray, rewards: FloatArray, penalty: float) -> Tree:
    n, k = rewards.shape
    rows = np.arange(n)
    coefficients = []
    winners = [np.full(n, action) for action in range(k)]
    for left, right in bracket(k):
        first, second = winners[left], winners[right]
        difference = rewards[rows, first] - rewards[rows, second]
        beta = fit_binary(X, difference > 0.0, np.abs(difference), penalty)
        coefficients.append(beta)
        wins = design(X) @ beta > 0.0
        winners.append(np.where(wins, first, second))
    return Tree(k, np.array(coefficients))


def fit_offset_tree(
    X: FloatArray, log: Log, propensities: FloatArray, middle: float, penalty: float
) -> Tree:
    k = propensities.shape[1]
    contexts = X[log.rows]
    importance = np.abs(log.rewards - middle) / propensities[log.rows, log.actions]
    good = log.rewards > middle
    coefficients = []
    winners = [np.full(len(log.rows), action) for action in range(k)]
    for left, right in bracket(k):
        took_left = log.actions == winners[left]
        used = took_left | (log.actions == winners[right])
        prefers_left = took_left[used] == good[used]
        beta = fit_binary(contexts[used], prefers_left, importance[used], penalty)
        coefficients.append(beta)
        wins = design(contexts) @ beta > 0.0
        winners.append(np.where(wins, winners[left], winners[right]))
    return Tree(k, np.array(coefficients))
