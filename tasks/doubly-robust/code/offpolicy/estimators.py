"""Estimates of a policy's value from a log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offpolicy.arrays import FloatArray, IntArray, Log


@dataclass(frozen=True)
class Estimate:
    """A value, its standard error, and the effective number of events that it rests on."""

    value: float
    error: float
    effective: float


def effective_size(weights: FloatArray) -> float:
    """The number of equal weights that would vary as much as these do together."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0.0 else 0.0


def direct_method(log: Log, policy: IntArray, predicted: FloatArray) -> Estimate:
    """The mean predicted reward of the policy's actions."""
    terms = predicted[log.rows, policy[log.rows]]
    error = terms.std(ddof=1) / np.sqrt(len(terms))
    return Estimate(float(terms.mean()), float(error), float(len(terms)))


def inverse_propensity(
    log: Log,
    policy: IntArray,
    propensities: FloatArray,
    cap: float = np.inf,
    normalise: bool = False,
) -> Estimate:
    n = len(log.rows)
    match = log.actions == policy[log.rows]
    weights = np.where(match, 1.0 / propensities[log.rows, log.actions], 0.0)
    weights = np.minimum(weights, cap)
    effective = effective_size(weights)
    if not normalise:
        terms = weights * log.rewards
        return Estimate(float(terms.mean()), float(terms.std(ddof=1) / np.sqrt(n)), effective)
    total = weights.sum()
    value = weights @ log.rewards / total
    residuals = weights * (log.rewards - value)
    return Estimate(float(value), float(np.sqrt(residuals @ residuals) / total), effective)


def doubly_robust(
    log: Log, policy: IntArray, propensities: FloatArray, predicted: FloatArray
) -> Estimate:
    n = len(log.rows)
    wanted = policy[log.rows]
    match = log.actions == wanted
    weights = np.zeros(n)
    weights[match] = 1.0 / propensities[log.rows[match], log.actions[match]]
    residuals = log.rewards - predicted[log.rows, log.actions]
    terms = predicted[log.rows, wanted] + weights * residuals
    value = terms.mean()
    variance = ((terms - value) ** 2).sum() / (n - 1)
    return Estimate(float(value), float(np.sqrt(variance / n)), effective_size(weights))
