"""Which coalitions of features are looked at, and how much each of them counts."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np

from kshap.arrays import CoalitionSample, FloatArray, Masks

ROUNDING = 1e-9
"""Relative difference up to which two numbers of coalitions are the same."""


def all_coalitions(features: int) -> Masks:
    """All 2**features coalitions: feature j is in number k if bit j of k is 1."""
    codes = np.arange(2**features)
    return (codes[:, None] >> np.arange(features)) % 2 == 1


def shapley_kernel(features: int) -> FloatArray:
    weights = np.zeros(features + 1)
    for size in range(1, features):
        weights[size] = (features - 1) / (comb(features, size) * size * (features - size))
    return weights


def sample_coalitions(features: int, budget: int, uniforms: FloatArray) -> CoalitionSample:
    sizes = np.arange(1, features)
    counts = np.array([comb(features, size) for size in sizes])
    mass = counts * shapley_kernel(features)[1:-1]
    mass /= mass.sum()
    masks: list[Masks] = []
    weights: list[float] = []
    low, high, left = 0, features - 1, budget
    while low < high:
        pair = sorted({low, high - 1})
        share = mass[pair].sum() / mass[low:high].sum()
        if left * share < (1.0 - ROUNDING) * counts[pair].sum():
            break
        for index in pair:
            for members in combinations(range(features), int(sizes[index])):
                masks.append(np.isin(np.arange(features), members))
                weights.append(mass[index] / counts[index])
        left -= int(counts[pair].sum())
        low, high = low + 1, high - 1
    draws = left // 2 if low < high else 0
    if draws:
        shares = np.cumsum(mass[low:high]) / mass[low:high].sum()
        for noise in uniforms[:draws]:
            drawn = int(np.searchsorted(shares[:-1], noise[0], side="right"))
            members = np.argsort(noise[1:], kind="stable")[: sizes[low + drawn]]
            mask = np.isin(np.arange(features), members)
            masks += [mask, ~mask]
        weights += [mass[low:high].sum() / (2 * draws)] * (2 * draws)
    return CoalitionSample(np.array(masks), np.array(weights))
