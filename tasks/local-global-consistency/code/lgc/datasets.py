"""The data sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits, load_wine

from lgc import draws
from lgc.arrays import FloatArray, IntArray

PER_DIGIT = 80
MOON_POINTS = 200
MOON_NOISE = 0.1


@dataclass(frozen=True)
class Data:
    """Points, their classes 0, 1, ..., and the widths that suit their graphs."""

    X: FloatArray
    y: IntArray
    width: float
    cosine_width: float


def four_digits(seed: int) -> Data:
    """All images of the digits 1 to 4, with grey levels from 0 to 1."""
    X, y = load_digits(return_X_y=True)
    kept = (y >= 1) & (y <= 4)
    return Data(X[kept] / 16.0, y[kept] - 1, 0.4, 0.06)


def ten_digits(seed: int) -> Data:
    """Some images of each of the ten digits, drawn at random."""
    X, y = load_digits(return_X_y=True)
    order = draws.row_order(seed, len(y))
    kept = np.sort(np.concatenate([order[y[order] == digit][:PER_DIGIT] for digit in range(10)]))
    return Data(X[kept] / 16.0, y[kept], 0.35, 0.06)


def wine(seed: int) -> Data:
    """Chemical analyses of wines from three cultivars, standardised."""
    X, y = load_wine(return_X_y=True)
    return Data(standardise(X), y, 0.6, 0.2)


def moons(seed: int) -> Data:
    """Two interleaved half circles in the plane, blurred."""
    half = MOON_POINTS // 2
    angle = np.linspace(0.0, np.pi, half)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1.0 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    noise = MOON_NOISE * draws.moon_normals(seed, 2 * half)
    return Data(np.concatenate([upper, lower]) + noise, np.repeat([0, 1], half), 0.15, 0.12)


LOADERS: dict[str, Callable[[int], Data]] = {
    "digits": four_digits,
    "ten_digits": ten_digits,
    "wine": wine,
}


def standardise(values: FloatArray) -> FloatArray:
    return (values - values.mean(axis=0)) / values.std(axis=0)
