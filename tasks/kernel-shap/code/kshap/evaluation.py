"""How far attributions are from the Shapley values and from local accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kshap.arrays import Explanation, FloatArray


@dataclass(frozen=True)
class Report:
    """Attributions of several rows against the exact ones, in units of the model's output.

    ``rmse`` is over rows and features; ``worst`` is the mean over rows of the largest error;
    ``angle`` the mean over rows of one minus the cosine; ``gap`` the mean absolute
    violation of local accuracy.
    """

    rmse: float
    worst: float
    angle: float
    gap: float


def report(
    explanations: Sequence[Explanation], exact: FloatArray, predictions: FloatArray
) -> Report:
    phi = np.array([e.phi for e in explanations])
    base = np.array([e.base for e in explanations])
    error = np.abs(phi - exact)
    lengths = np.linalg.norm(phi, axis=1) * np.linalg.norm(exact, axis=1)
    cosine = (phi * exact).sum(axis=1) / lengths
    missing = predictions - base - phi.sum(axis=1)
    return Report(
        rmse=float(np.sqrt((error**2).mean())),
        worst=float(error.max(axis=1).mean()),
        angle=float((1.0 - cosine).mean()),
        gap=float(np.abs(missing).mean()),
    )
