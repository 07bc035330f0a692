"""Shapes of the arrays and the results that the modules hand to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Labelled:
    """A choice of labelled points: their numbers, ascending, and the label matrix Y.

    ``Y`` has a row for each point of the data set and a column for each class.
    """

    points: IntArray
    Y: FloatArray


@dataclass(frozen=True)
class Trace:
    """Where an iteration ended, and per step how far it went and how many decisions changed."""

    F: FloatArray
    changes: FloatArray
    switches: IntArray


@dataclass(frozen=True)
class Cost:
    """The cost Q(F), the two sums that it consists of, and the norm of its gradient."""

    total: float
    smoothness: float
    fitting: float
    slope: float


@dataclass(frozen=True)
class LeftOut:
    """How well labelled points are told from the others, and how much they tell themselves."""

    error: float
    brier: float
    influence: float


@dataclass(frozen=True)
class Report:
    """How good a matrix of scores is on the unlabelled points."""

    error: float
    confidence: float
    margin: float
    entropy: float
    brier: float
    imbalance: float
