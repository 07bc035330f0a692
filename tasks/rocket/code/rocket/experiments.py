"""The experiments: each takes a seed and the name of the data, and returns its metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rocket import draws
from rocket.arrays import FloatArray, IntArray, Linear, Split
from rocket.collections import load
from rocket.evaluation import judge
from rocket.features import transform
from rocket.kernels import Scheme, sample_kernels
from rocket.logistic import Schedule, fit_logistic
from rocket.neighbours import choose_band, dtw_distances, neighbour_scores
from rocket.ridge import PENALTIES, RidgeFit, fit_ridge, targets

Metrics = dict[str, float]

KINDS = ("ppv", "max")
KERNELS = 1000
VARIANT_KERNELS = 200
BRIEF = ("error", "margin", "loo", "loss", "norm")
BANDS = (0, 2, 4, 8)
FEWER = (10, 30, 100)
EPOCHS = 60
BATCH = 16
VALIDATION = 4
SCHEDULE = Schedule(rate=0.001, patience=10)
VARIANTS = {
    "rocket": Scheme(),
    "ternary": Scheme(weights="ternary"),
    "uncentred": Scheme(centred=False),
    "normal_bias": Scheme(bias="normal"),
    "unbiased": Scheme(bias="zero"),
    "even_dilation": Scheme(dilation="uniform"),
    "undilated": Scheme(dilation="none"),
    "padded": Scheme(padding="always"),
    "unpadded": Scheme(padding="never"),
}


def standardise(train: FloatArray, test: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Features with mean 0 and standard deviation 1 in training; constant ones become 0."""
    shift, scale = train.mean(axis=0), train.std(axis=0)
    scale = np.where(scale < 1e-8, np.inf, scale)
    return (train - shift) / scale, (test - shift) / scale


def describe(features: FloatArray, kinds: Sequence[str]) -> Metrics:
    """Mean and spread of each kind of feature, and how many directions they take up."""
    metrics: Metrics = {}
    for index, kind in enumerate(kinds):
        part = features[:, index :: len(kinds)]
        metrics[f"{kind}_mean"] = float(part.mean())
        metrics[f"{kind}_spread"] = float(part.std(axis=0).mean())
    standard, _ = standardise(features, features)
    gram = standard @ standard.T
    metrics["directions"] = float(np.trace(gram) ** 2 / (gram**2).sum())
    return metrics


def report(name: str, scores: FloatArray, labels: IntArray) -> Metrics:
    """What `judge` says, each entry with the name before it."""
    return {f"{name}_{key}": value for key, value in vars(judge(scores, labels)).items()}


def ridge(name: str, train: FloatArray, test: FloatArray, split: Split) -> tuple[Metrics, RidgeFit]:
    """A ridge classifier on features, and its metrics."""
    fit = fit_ridge(train, targets(split.train_labels, split.classes), PENALTIES)
    scores = fit.model(test)
    squares = (scores - targets(split.test_labels, split.classes)) ** 2
    metrics = report(name, scores, split.test_labels)
    metrics[f"{name}_loo"] = float(fit.path.min())
    metrics[f"{name}_loss"] = float(squares.mean())
    metrics[f"{name}_norm"] = float(np.linalg.norm(fit.model.weights))
    return metrics, fit


def compare(seed: int, data: str) -> Metrics:
    """ROCKET with either classifier against nearest neighbours."""
    split = load(seed, data)
    kernels = sample_kernels(draws.kernel_noise(seed, KERNELS), split.train.shape[1], Scheme())
    train = transform(split.train, kernels, KINDS)
    test = transform(split.test, kernels, KINDS)
    metrics = describe(train, KINDS)
    found, fit = ridge("rocket", train, test, split)
    metrics |= found
    metrics["log_penalty"] = float(np.log10(fit.penalty))
    metrics["loo_first"] = float(fit.path[0])
    metrics["loo_last"] = float(fit.path[-1])
    metrics |= ridge("raw", split.train, split.test, split)[0]
    train, test = standardise(train, test)
    metrics |= logistic(seed, train, test, split)
    metrics |= neighbours(split)
    return metrics


def logistic(seed: int, train: FloatArray, test: FloatArray, split: Split) -> Metrics:
    """Logistic regression on the features of ROCKET, with every fourth series for validation."""
    held = np.arange(len(train)) % VALIDATION == 0
    fitted = train[~held], split.train_labels[~held]
    batches = draws.batches(seed, len(fitted[0]), BATCH, EPOCHS)
    start = Linear(np.zeros((train.shape[1], split.classes)), np.zeros(split.classes))
    fit = fit_logistic(fitted, (train[held], split.train_labels[held]), start, batches, SCHEDULE)
    metrics = report("logistic", fit.model(test), split.test_labels)
    metrics["logistic_first_loss"] = float(fit.validation[0])
    metrics["logistic_best_loss"] = float(fit.validation.min())
    metrics["logistic_mean_loss"] = float(fit.validation.mean())
    metrics["logistic_first_slope"] = float(fit.norms[0])
    metrics["logistic_mean_slope"] = float(fit.norms.mean())
    metrics["logistic_rate"] = fit.rate
    metrics["logistic_norm"] = float(np.linalg.norm(fit.model.weights))
    return metrics


def neighbours(split: Split) -> Metrics:
    """One nearest neighbour: by Euclidean distance, and by warping with a chosen band."""
    warping = choose_band(split.train, split.train_labels, split.classes, BANDS)
    metrics: Metrics = {"band": float(warping.band)}
    for band, error, contrast in zip(BANDS, warping.errors, warping.contrasts, strict=True):
        metrics[f"band_{band}_error"] = float(error)
        metrics[f"band_{band}_contrast"] = float(contrast)
    for name, band in (("euclid", 0), ("dtw", warping.band)):
        distances = dtw_distances(split.test, split.train, band)
        scores = neighbour_scores(distances, split.train_labels, split.classes)
        metrics |= report(name, scores, split.test_labels)
        metrics[f"{name}_distance"] = float(distances.mean())
    return metrics


def sensitivity(seed: int, data: str) -> Metrics:
    """ROCKET with one choice changed at a time, with other features and with fewer kernels."""
    split = load(seed, data)
    noise = draws.kernel_noise(seed, VARIANT_KERNELS)
    points = split.train.shape[1]
    metrics: Metrics = {}

    def add(name: str, train: FloatArray, test: FloatArray) -> None:
        found, _ = ridge(name, train, test, split)
        metrics.update({f"{name}_{key}": found[f"{name}_{key}"] for key in BRIEF})

    for name, scheme in VARIANTS.items():
        kernels = sample_kernels(noise, points, scheme)
        train = transform(split.train, kernels, KINDS)
        add(name, train, transform(split.test, kernels, KINDS))
        found = describe(train, KINDS)
        for key in ("ppv_spread", "max_mean", "directions"):
            metrics[f"{name}_{key}"] = found[key]
    kernels = sample_kernels(noise, points, Scheme())
    kinds = (*KINDS, "mean")
    train, test = transform(split.train, kernels, kinds), transform(split.test, kernels, kinds)
    for index, kind in enumerate(kinds):
        add(f"only_{kind}", train[:, index :: len(kinds)], test[:, index :: len(kinds)])
    both = np.arange(train.shape[1]) % len(kinds) < len(KINDS)
    train, test = train[:, both], test[:, both]
    for number in FEWER:
        used = slice(0, number * len(KINDS))
        add(f"kernels_{number}", train[:, used], test[:, used])
    return metrics


EXPERIMENTS: dict[str, Callable[[int, str], Metrics]] = {
    "compare": compare,
    "sensitivity": sensitivity,
}
