"""Types shared by the modules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Layer = tuple[FloatArray, FloatArray]
Params = list[Layer]


@dataclass(frozen=True)
class Band:
    """One prediction interval per row, with the predicted median where there is one."""

    lower: FloatArray
    upper: FloatArray
    median: FloatArray | None = None

    @property
    def length(self) -> FloatArray:
        return self.upper - self.lower

    def rows(self, index: IntArray | slice) -> Band:
        median = None if self.median is None else self.median[index]
        return Band(self.lower[index], self.upper[index], median)
