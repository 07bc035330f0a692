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
    """One prediction interval per row."""

    lower: FloatArray
    upper: FloatArray

    @property
    def length(self) -> FloatArray:
        return self.upper - self.lower

    def rows(self, index: IntArray | slice) -> Band:
        return Band(self.lower[index], self.upper[index])
