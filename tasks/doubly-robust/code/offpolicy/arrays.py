"""Types shared by the modules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Log:
    """Logged bandit feedback.

    Entry i of each array is one event: ``rows`` says which context was seen (a row number of the
    tables of contexts), ``actions`` what was done, and ``rewards`` what came of it.
    """

    rows: IntArray
    actions: IntArray
    rewards: FloatArray


def design(X: FloatArray) -> FloatArray:
    """Features with a leading column of ones."""
    return np.column_stack([np.ones(len(X)), X])


def standardise(values: FloatArray, reference: FloatArray) -> FloatArray:
    """Scale columns to mean 0 and deviation 1 on the reference rows; constant ones become 0."""
    scale = reference.std(axis=0)
    shifted: FloatArray = values - reference.mean(axis=0)
    return shifted / np.where(scale > 0.0, scale, 1.0)
