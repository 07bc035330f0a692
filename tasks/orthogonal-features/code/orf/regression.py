"""Ridge classifiers: on features, and with the exact kernel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orf.arrays import FloatArray, IntArray


def one_vs_all(labels: IntArray, classes: int) -> FloatArray:
    """Targets of shape (rows, classes): 1 for the row's class, -1 for the others."""
    return np.where(labels[:, None] == np.arange(classes), 1.0, -1.0)


@dataclass(frozen=True)
class Classifier:
    """A fitted classifier: its scores of the test rows, and how tightly it fits."""

    scores: FloatArray
    training_loss: float
    norm: float
    effective_dims: float


def feature_ridge(
    train: FloatArray, test: FloatArray, targets: FloatArray, penalty: float
) -> Classifier:
    """Ridge regression of the targets on features."""
    shift = train.mean(axis=0)
    offset = targets.mean(axis=0)
    centred = train - shift
    gram = centred.T @ centred
    system = gram + penalty * np.eye(len(gram))
    weights = np.linalg.solve(system, centred.T @ (targets - offset))
    residual = centred @ weights - (targets - offset)
    return Classifier(
        scores=(test - shift) @ weights + offset,
        training_loss=float((residual**2).mean()),
        norm=float(np.sqrt((weights**2).sum())),
        effective_dims=float(np.trace(np.linalg.solve(system, gram))),
    )


def kernel_ridge(
    train_kernel: FloatArray, test_kernel: FloatArray, targets: FloatArray, penalty: float
) -> Classifier:
    """Ridge regression of the targets with a kernel."""
    offset = targets.mean(axis=0)
    column_means = train_kernel.mean(axis=0)
    grand_mean = train_kernel.mean()
    centred = train_kernel - column_means - column_means[:, None] + grand_mean
    system = centred + penalty * np.eye(len(centred))
    dual = np.linalg.solve(system, targets - offset)
    residual = centred @ dual - (targets - offset)
    return Classifier(
        scores=(test_kernel - column_means) @ dual + offset,
        training_loss=float((residual**2).mean()),
        norm=float(np.sqrt((dual * (centred @ dual)).sum())),
        effective_dims=float(np.trace(np.linalg.solve(system, centred))),
    )


@dataclass(frozen=True)
class ScoreReport:
    """Losses and margins of the scores of a classifier."""

    squared: float
    hinge: float
    log_loss: float
    margin: float
    low_margin: float


def score_report(scores: FloatArray, labels: IntArray) -> ScoreReport:
    """Judge the scores of a classifier."""
    rows = np.arange(len(labels))
    targets = one_vs_all(labels, scores.shape[1])
    own = scores[rows, labels]
    others = scores.copy()
    others[rows, labels] = -np.inf
    margin = own - others.max(axis=1)
    lowest = np.sort(margin)[: -(-len(margin) // 10)]
    top = scores.max(axis=1)
    log_total = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    return ScoreReport(
        squared=float(((scores - targets) ** 2).mean()),
        hinge=float(np.maximum(0.0, 1.0 - margin).mean()),
        log_loss=float((log_total - own).mean()),
        margin=float(margin.mean()),
        low_margin=float(lowest.mean()),
    )
