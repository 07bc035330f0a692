"""From projections to features whose inner products approximate the kernel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from orf.arrays import FloatArray
from orf.draws import Draws
from orf.frequencies import first_primes, halton_frequencies, orthogonal_frequencies
from orf.structured import next_power_of_two, structured_projections


def trig_features(projections: FloatArray, phases: FloatArray | None = None) -> FloatArray:
    """Features of every row, from its projections on the frequencies."""
    rows, count = projections.shape
    if phases is not None:
        angles = projections + phases
        return np.sqrt(2.0 / count) * np.cos(angles)
    features = np.empty((rows, 2 * count))
    features[:, :count] = np.cos(projections)
    features[:, count:] = np.sin(projections)
    return features / np.sqrt(count)


def rff(X: FloatArray, count: int, draws: Draws) -> FloatArray:
    """Random Fourier features."""
    return trig_features(X @ draws.frequencies(count, X.shape[1]).T)


def phase(X: FloatArray, count: int, draws: Draws) -> FloatArray:
    """Random Fourier features with a random phase in place of the sine."""
    return trig_features(X @ draws.frequencies(count, X.shape[1]).T, draws.phases(count))


def qmc(X: FloatArray, count: int, draws: Draws) -> FloatArray:
    """Quasi-Monte Carlo features."""
    dims = X.shape[1]
    return trig_features(X @ halton_frequencies(count, first_primes(dims), draws.shift(dims)).T)


def orf(X: FloatArray, count: int, draws: Draws) -> FloatArray:
    """Orthogonal random features."""
    dims = X.shape[1]
    blocks = -(-count // dims)
    normals = draws.square_normals(blocks, dims)
    W = orthogonal_frequencies(normals, draws.length_normals(blocks, dims), count)
    return trig_features(X @ W.T)


def fixed(X: FloatArray, count: int, draws: Draws) -> FloatArray:
    """Orthogonal random features whose frequencies all have the same length."""
    dims = X.shape[1]
    normals = draws.square_normals(-(-count // dims), dims)
    return trig_features(X @ orthogonal_frequencies(normals, None, count).T)


def sorf(X: FloatArray, count: int, draws: Draws) -> FloatArray:
    """Structured orthogonal random features."""
    dims = next_power_of_two(X.shape[1])
    signs = draws.signs(-(-count // dims), dims)
    return trig_features(structured_projections(X, signs, count))


METHODS: dict[str, Callable[[FloatArray, int, Draws], FloatArray]] = {
    "rff": rff,
    "phase": phase,
    "qmc": qmc,
    "orf": orf,
    "fixed": fixed,
    "sorf": sorf,
}
