"""Cohorts: patients with features, follow-up times and events, real or simulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepsurv.arrays import BoolArray, FloatArray, IntArray
from deepsurv.studies import Columns, Feature

BASE_RATE = 0.02
DROPOUT_RATE = 0.004
OBSERVED_SHARE = 0.9
RADIUS = 0.5


@dataclass(frozen=True)
class Cohort:
    """One row of ``X``, one time and one event flag per patient; without event, censored."""

    X: FloatArray
    time: FloatArray
    event: BoolArray


def design_matrix(columns: Columns, features: Sequence[Feature]) -> FloatArray:
    parts = []
    for feature in features:
        values = np.asarray(columns[feature.column])
        if feature.kind == "label":
            parts += [(values == label).astype(np.float64) for label in feature.labels[1:]]
            continue
        numbers = values.astype(np.float64)
        if feature.kind == "log":
            numbers = np.log1p(numbers)
        elif feature.kind == "grade":
            grade = np.zeros(len(numbers))
            for cut in feature.cuts:
                grade += numbers > cut
            numbers = grade / len(feature.cuts)
        parts.append(numbers)
    return np.stack(parts, axis=1)


def survival_times(log_risk: FloatArray, uniforms: FloatArray) -> tuple[FloatArray, BoolArray]:
    hazard = BASE_RATE * np.exp(log_risk)
    death = -np.log(uniforms[:, 0]) / hazard
    leaving = -np.log(uniforms[:, 1]) / DROPOUT_RATE
    end = np.quantile(death, OBSERVED_SHARE)
    stop = np.minimum(leaving, end)
    event = death <= stop
    exact = np.where(event, death, stop)
    return np.maximum(np.ceil(exact), 1.0), event


def linear_log_risk(X: FloatArray) -> FloatArray:
    """Two of the covariates matter, the second twice as much."""
    return X[:, 0] + 2.0 * X[:, 1]


def gaussian_log_risk(X: FloatArray, peak: float = 5.0) -> FloatArray:
    """The hazard is highest, ``peak`` times the lowest, where two covariates are 0."""
    return np.log(peak) * np.exp(-(X[:, 0] ** 2 + X[:, 1] ** 2) / (2.0 * RADIUS**2))


def treated_log_risk(X: FloatArray, arm: IntArray, peak: float = 10.0) -> FloatArray:
    """Treatment 0 gives all the same risk; treatment 1 suits those far from the centre."""
    return np.where(arm == 1, gaussian_log_risk(X, peak), 0.5 * np.log(peak))
