"""The six JME-fairness measures and their parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MEASURES = ("ii", "ig", "gi", "gg", "ai", "ag")


@dataclass(frozen=True)
class Groups:
    """Group index of every user and of every item."""

    users: np.ndarray
    items: np.ndarray


@dataclass(frozen=True)
class Parts:
    """A measure (F), with its disparity (D), relevance (R) and constant (C) term."""

    fairness: float
    disparity: float
    relevance: float
    constant: float


def group_average(matrix: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Average of the rows of ``matrix`` within each group of rows."""
    n_groups = labels.max() + 1
    sums = np.zeros((n_groups, matrix.shape[1]))
    np.add.at(sums, labels, matrix)
    sizes = np.bincount(labels, minlength=n_groups)
    return sums / np.maximum(sizes, 1)[:, None]


def aggregate(matrix: np.ndarray, measure: str, groups: Groups) -> np.ndarray:
    """``matrix`` at the level of users and items at which ``measure`` compares exposure."""
    user_level, item_level = measure
    if user_level == "g":
        matrix = group_average(matrix, groups.users)
    elif user_level == "a":
        matrix = matrix.mean(axis=0, keepdims=True)
    if item_level == "g":
        matrix = group_average(matrix.T, groups.items).T
    return matrix


def jme_measures(
    system: np.ndarray, target: np.ndarray, random: np.ndarray, groups: Groups
) -> dict[str, Parts]:
    """All six JME measures of a system exposure, each with its decomposition."""
    parts = {}
    for measure in MEASURES:
        gap = aggregate(system - target, measure, groups)
        from_random = aggregate(system - random, measure, groups)
        ideal = aggregate(target - random, measure, groups)
        parts[measure] = Parts(
            fairness=float(np.mean(gap**2)),
            disparity=float(np.mean(from_random**2)),
            relevance=float(2.0 * np.mean(from_random * ideal)),
            constant=float(np.mean(ideal**2)),
        )
    return parts
