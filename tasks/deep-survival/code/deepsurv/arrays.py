"""Types shared by the modules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Layer = tuple[FloatArray, FloatArray]
Params = list[Layer]
LogRisk = Callable[[FloatArray], FloatArray]
"""Log risk of every row of a feature matrix, known up to a constant."""
