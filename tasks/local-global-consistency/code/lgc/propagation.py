"""The consistency method: labels spread over the graph, step by step or at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lgc.arrays import FloatArray, Trace


def iterate(
    matrix: FloatArray,
    Y: FloatArray,
    alpha: float,
    tolerance: float,
    limit: int,
    clamped: bool = False,
) -> Trace:
    labelled = Y.any(axis=1)
    F = Y.copy()
    changes: list[float] = []
    switches: list[int] = []
    for _ in range(limit):
        new = alpha * (matrix @ F) + (1.0 - alpha) * Y
        if clamped:
            new[labelled] = Y[labelled]
        changes.append(float(np.linalg.norm(new - F)))
        switches.append(int(np.count_nonzero(new.argmax(axis=1) != F.argmax(axis=1))))
        F = new
        if changes[-1] <= tolerance * np.linalg.norm(F):
            break
    return Trace(F, np.array(changes), np.array(switches))


def closed_form(matrix: FloatArray, Y: FloatArray, alpha: float) -> FloatArray:
    sets, size, classes = Y.shape
    columns = Y.transpose(1, 0, 2).reshape(size, sets * classes)
    system = np.eye(size) - alpha * matrix
    F = (1.0 - alpha) * np.linalg.solve(system, columns)
    return F.reshape(size, sets, classes).transpose(1, 0, 2)


def spectral_path(
    S: FloatArray, Y: FloatArray, kind: str, strengths: Sequence[float], rank: int
) -> list[FloatArray]:
    values, vectors = np.linalg.eigh(S)
    values, vectors = values[-rank:], vectors[:, -rank:]
    loadings = vectors.T @ Y
    rest = Y - vectors @ loadings
    path = []
    for strength in strengths:
        if kind == "heat":
            gains = np.exp(strength * (values - 1.0))
            dropped = np.exp(-strength)
        else:
            gains = (1.0 - strength) / (1.0 - strength * values)
            dropped = 1.0 - strength
        path.append(vectors @ (gains[:, None] * loadings) + dropped * rest)
    return path
