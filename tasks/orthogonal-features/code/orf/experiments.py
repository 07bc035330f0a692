"""The experiments: each returns its metrics by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from orf import datasets, draws
from orf.arrays import FloatArray, IntArray
from orf.draws import Draws
from orf.evaluation import distance_groups, grouped_moments, kernel_errors
from orf.features import METHODS
from orf.preparation import gaussian_kernel, neighbour_bandwidth, squared_distances, standardise
from orf.regression import feature_ridge, kernel_ridge, one_vs_all, score_report
from orf.theory import fixed_length_kernel, predicted_variance

Metrics = dict[str, float]

TEST_SHARE = 0.3
NEIGHBOUR = 50
BANDWIDTH_ROWS = 200
KERNEL_ROWS = 200
MULTIPLES = (1, 3)
RANKS = (1, 2, 8)


@dataclass(frozen=True)
class Data:
    """Scaled rows of both parts, their classes, and the bandwidth."""

    train: FloatArray
    test: FloatArray
    train_labels: IntArray
    test_labels: IntArray
    bandwidth: float

    @property
    def dims(self) -> int:
        return self.train.shape[1]


def prepare(name: str, seed: int) -> Data:
    """Split the rows at random, scale them, and find the bandwidth."""
    X, y = datasets.load(name)
    order = draws.permutation(seed, len(y))
    test_rows, train_rows = np.split(order, [int(TEST_SHARE * len(y))])
    train, test = standardise(X[train_rows], X[test_rows])
    bandwidth = neighbour_bandwidth(train, np.arange(BANDWIDTH_ROWS), NEIGHBOUR)
    return Data(train, test, y[train_rows], y[test_rows], bandwidth)


def mean_of(reports: Sequence[Metrics]) -> Metrics:
    """Mean of each metric over repetitions."""
    return {key: float(np.mean([report[key] for report in reports])) for key in reports[0]}


REPEATS = 5
BANDWIDTHS = {"half": 0.5, "double": 2.0}


def approximation(name: str, seed: int) -> Metrics:
    """Errors of the kernel matrix by the number of features, and by the bandwidth."""
    data = prepare(name, seed)
    metrics: Metrics = {"bandwidth": data.bandwidth}
    for rank in RANKS:
        distance = neighbour_bandwidth(data.train, np.arange(BANDWIDTH_ROWS), rank)
        metrics[f"neighbour_distance_{rank}"] = distance

    def mean_errors(method: str, X: FloatArray, multiple: int) -> Metrics:
        exact = gaussian_kernel(X, X)
        reports = []
        for repeat in range(REPEATS):
            features = METHODS[method](X, multiple * data.dims, Draws(seed, repeat))
            reports.append(asdict(kernel_errors(exact, features @ features.T)))
        return mean_of(reports)

    rows = data.train[:KERNEL_ROWS] / data.bandwidth
    for method in METHODS:
        for multiple in MULTIPLES:
            errors = mean_errors(method, rows, multiple)
            metrics |= {f"{method}_{key}_{multiple}": value for key, value in errors.items()}
    for label, factor in BANDWIDTHS.items():
        for method in ("rff", "orf", "sorf"):
            errors = mean_errors(method, rows / factor, 1)
            metrics[f"{method}_mse_{label}"] = errors["mse"]
            metrics[f"{method}_spectral_{label}"] = errors["spectral"]
    return metrics


PAIRS = 150
VARIANCE_REPEATS = 150
GROUPS = 3


def variance(name: str, seed: int) -> Metrics:
    """Bias and variance of the kernel estimates by distance, measured and predicted."""
    data = prepare(name, seed)
    rows = data.train[: 2 * PAIRS] / data.bandwidth
    left, right = rows[:PAIRS], rows[PAIRS : 2 * PAIRS]
    z = np.sqrt(np.diagonal(squared_distances(left, right)))
    exact = np.exp(-(z**2) / 2.0)
    groups = distance_groups(z, GROUPS)
    bias = fixed_length_kernel(z, data.dims) - exact
    metrics: Metrics = {f"fixed_predicted_bias_{g}": bias[p].mean() for g, p in enumerate(groups)}
    for label, count in (("half", data.dims // 2), ("more", 3 * data.dims // 2)):
        for method, orthogonal in (("rff", False), ("orf", True)):
            predicted = predicted_variance(z, count, data.dims, orthogonal)
            for group, pairs in enumerate(groups):
                metrics[f"{method}_predicted_{label}_{group}"] = predicted[pairs].mean()
        for method in METHODS:
            estimates = np.zeros((VARIANCE_REPEATS, PAIRS))
            for repeat in range(VARIANCE_REPEATS):
                features = METHODS[method](rows, count, Draws(seed, repeat))
                estimates[repeat] = (features[:PAIRS] * features[PAIRS:]).sum(axis=1)
            moments = grouped_moments(estimates, exact, z, GROUPS)
            for group in range(GROUPS):
                metrics[f"{method}_variance_{label}_{group}"] = moments.variance[group]
                metrics[f"distance_{group}"] = moments.distance[group]
            metrics[f"{method}_bias_{label}"] = moments.bias[-1]
            metrics[f"{method}_error_{label}"] = moments.error[0]
    return metrics


PENALTY = 1.0
FITS = 3


def regression(name: str, seed: int) -> Metrics:
    """Ridge classifiers on the features, against the exact kernel."""
    data = prepare(name, seed)
    train, test = data.train / data.bandwidth, data.test / data.bandwidth
    classes = int(data.train_labels.max()) + 1
    targets = one_vs_all(data.train_labels, classes)
    kernel = gaussian_kernel(train, train)
    exact = kernel_ridge(kernel, gaussian_kernel(test, train), targets, PENALTY)
    metrics: Metrics = {
        "exact_training_loss": exact.training_loss,
        "exact_norm": exact.norm,
        "exact_effective_dims": exact.effective_dims,
    }
    report = asdict(score_report(exact.scores, data.test_labels))
    metrics |= {f"exact_{key}": value for key, value in report.items()}

    def fit(method: str, multiple: int, repeat: int) -> Metrics:
        rows = np.concatenate([train, test])
        features = METHODS[method](rows, multiple * data.dims, Draws(seed, repeat))
        part = features[:KERNEL_ROWS]
        errors = kernel_errors(kernel[:KERNEL_ROWS, :KERNEL_ROWS], part @ part.T)
        fitted = feature_ridge(features[: len(train)], features[len(train) :], targets, PENALTY)
        judged = score_report(fitted.scores, data.test_labels)
        return {
            "spectral": errors.spectral,
            "gap": np.sqrt(((fitted.scores - exact.scores) ** 2).mean()),
            "training_loss": fitted.training_loss,
            "norm": fitted.norm,
            "effective_dims": fitted.effective_dims,
            "squared": judged.squared,
            "margin": judged.margin,
        }

    for method in METHODS:
        for multiple in MULTIPLES:
            fits = mean_of([fit(method, multiple, repeat) for repeat in range(FITS)])
            metrics |= {f"{method}_{key}_{multiple}": value for key, value in fits.items()}
    return metrics


EXPERIMENTS: dict[str, Callable[[str, int], Metrics]] = {
    "approximation": approximation,
    "variance": variance,
    "regression": regression,
}
