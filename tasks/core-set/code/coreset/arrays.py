"""Types shared by the modules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

Feasible = Callable[[FloatArray, IntArray, int, float, int], IntArray | None]
"""Called with distances, labelled points, budget, radius and outliers: points or None."""

Query = Callable[[FloatArray, IntArray], IntArray]
"""Called with a classifier's weights and the labelled points: the points to label next."""
