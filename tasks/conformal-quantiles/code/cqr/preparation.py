"""From raw rows to the three scaled parts of the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cqr.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Part:
    """Row numbers of one part of the data, with their scaled features and responses."""

    rows: IntArray
    X: FloatArray
    y: FloatArray


@dataclass(frozen=True)
class Parts:
    """The proper training, the calibration and the test part."""

    train: Part
    calibration: Part
    test: Part


def scaled_parts(
    X: FloatArray, y: FloatArray, order: IntArray, test_share: float, calibration_share: float
) -> Parts:
    total = len(order)
    n_test = int(np.floor(test_share * total))
    n_calibration = int(np.floor(calibration_share * (total - n_test)))
    n_train = total - n_test - n_calibration
    train, calibration, test = np.split(order, [n_train, n_train + n_calibration])
    shift = X[train].mean(axis=0)
    scale = np.sqrt(((X[train] - shift) ** 2).mean(axis=0))
    unit = np.abs(y[train]).mean()
    parts = []
    for rows in (train, calibration, test):
        parts.append(Part(rows, (X[rows] - shift) / scale, y[rows] / unit))
    return Parts(*parts)
