"""Shapes of the arrays and the results that the modules hand to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Masks = NDArray[np.bool_]
"""Coalitions, shape (coalitions, features): True where the feature is present."""

Model = Callable[[FloatArray], FloatArray]
"""From rows, shape (rows, features), to one output per row, shape (rows,)."""


@dataclass(frozen=True)
class Explanation:
    """An additive explanation of one prediction: ``base`` and one ``phi`` per feature."""

    base: float
    phi: FloatArray


@dataclass(frozen=True)
class CoalitionSample:
    """Coalitions, neither empty nor full, and the weight of each in the regression."""

    masks: Masks
    weights: FloatArray
