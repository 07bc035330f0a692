"""The data sets, standardised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from kshap import draws
from kshap.arrays import FloatArray

BACKGROUND_ROWS = 24
EXPLAINED_ROWS = 6


@dataclass(frozen=True)
class Data:
    """Standardised features and target, the background set and the rows to explain."""

    X: FloatArray
    y: FloatArray
    background: FloatArray
    explained: FloatArray


def wine() -> tuple[FloatArray, FloatArray]:
    """Chemical analyses; the target is whether the wine is of the second cultivar."""
    X, y = load_wine(return_X_y=True)
    return X, (y == 1).astype(float)


def breast_cancer() -> tuple[FloatArray, FloatArray]:
    """Measurements of cell nuclei; the target is whether the tumour is malignant."""
    X, y = load_breast_cancer(return_X_y=True)
    return X, (y == 0).astype(float)


def diabetes() -> tuple[FloatArray, FloatArray]:
    """Patients; the target is the progression of the disease after a year."""
    X, y = load_diabetes(return_X_y=True)
    return X, y


LOADERS: dict[str, Callable[[], tuple[FloatArray, FloatArray]]] = {
    "wine": wine,
    "breast_cancer": breast_cancer,
    "diabetes": diabetes,
}


def standardise(values: FloatArray) -> FloatArray:
    return (values - values.mean(axis=0)) / values.std(axis=0)


def load(name: str, seed: int) -> Data:
    """Load a data set, and draw the background set and the rows to explain from it."""
    raw_X, raw_y = LOADERS[name]()
    X, y = standardise(raw_X), standardise(raw_y)
    order = draws.row_order(seed, len(X))
    end = BACKGROUND_ROWS + EXPLAINED_ROWS
    return Data(X, y, X[order[:BACKGROUND_ROWS]], X[order[BACKGROUND_ROWS:end]])
