"""From raw rows to the three scaled parts of the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cqr.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Split:
    """Row numbers of the proper training, calibration and test parts."""

    train: IntArray
    calibration: IntArray
    test: IntArray


def three_way_split(order: IntArray, test_share: float, calibration_share: float) -> Split:
    total = len(order)
    n_test = int(np.floor(test_share * total))
    n_calibration = int(np.floor(calibration_share * (total - n_test)))
    n_train = total - n_test - n_calibration
    train, calibration, test = np.split(order, [n_train, n_train + n_calibration])
    return Split(train=train, calibration=calibration, test=test)


@dataclass(frozen=True)
class Scaler:
    """Shift and scale of each feature, and the unit of the response."""

    shift: FloatArray
    scale: FloatArray
    unit: float

    @classmethod
    def fit(cls, X: FloatArray, y: FloatArray) -> Scaler:
        shift = X.mean(axis=0)
        scale = np.sqrt(((X - shift) ** 2).mean(axis=0))
        unit = float(np.abs(y).mean())
        return cls(shift=shift, scale=scale, unit=unit)

    def features(self, X: FloatArray) -> FloatArray:
        return (X - self.shift) / self.scale

    def response(self, y: FloatArray) -> FloatArray:
        return y / self.unit
