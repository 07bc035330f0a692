"""The experiments: each returns its metrics by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from cqr import draws
from cqr.arrays import Band, FloatArray
from cqr.conformal import Centre, Conformal, Score, conformalize, residual_band
from cqr.diamonds import design_matrix, load_diamonds
from cqr.evaluation import band_report, conditional_report
from cqr.losses import Loss, pinball, squared
from cqr.neighbours import neighbour_quantiles, tune_nominal
from cqr.network import initial_params
from cqr.preparation import Part, Parts, scaled_parts
from cqr.quantiles import quantile_band
from cqr.training import Fit, fit

Metrics = dict[str, float]

ROWS = 10_000
TEST_SHARE = 0.2
HIDDEN = (64, 64)
BATCH_SIZE = 200
BASE_RATE = 0.002
EPOCHS = 60
GROUPS = 5
WINDOW = 0.1

QUANTILE_NET, MEAN_NET, SPREAD_NET = 0, 1, 2


@dataclass(frozen=True)
class Data:
    """The three parts, and the weight in carats of the test rows."""

    parts: Parts
    carat: FloatArray


def prepare(seed: int, rows: int, calibration_share: float) -> Data:
    """Draw the rows, split them, and scale by the proper training part."""
    columns = load_diamonds()
    X, y = design_matrix(columns), columns["price"]
    order = draws.permutation(seed, len(y))[:rows]
    parts = scaled_parts(X, y, order, TEST_SHARE, calibration_share)
    return Data(parts, columns["carat"][parts.test.rows])


def train(
    part: Part,
    seed: int,
    net: int,
    target: FloatArray,
    loss: Loss,
    bias: FloatArray,
    epochs: int,
) -> Fit:
    """Train network ``net`` on the proper training part, with outputs starting at ``bias``."""
    sizes = (part.X.shape[1], *HIDDEN, len(bias))
    params = initial_params(draws.weight_normals(seed, net, sizes), bias)
    batches = draws.batches(seed, net, len(target), epochs, BATCH_SIZE)
    return fit(params, part.X, target, loss, batches, BASE_RATE)


def train_quantiles(part: Part, seed: int, levels: FloatArray, epochs: int) -> Fit:
    loss = partial(pinball, levels=levels)
    return train(part, seed, QUANTILE_NET, part.y, loss, np.quantile(part.y, levels), epochs)


def train_regression(part: Part, seed: int, net: int, target: FloatArray) -> Fit:
    bias = np.array([target.mean()])
    return train(part, seed, net, target, squared, bias, EPOCHS)


def ends(model: Fit, X: FloatArray) -> Band:
    """The band of a network with two outputs, put in order where they cross."""
    first, second = model.predict(X).T
    return Band(np.minimum(first, second), np.maximum(first, second))


def compare(seed: int, alpha: float) -> Metrics:
    """CQR against split conformal and locally weighted split conformal."""
    data = prepare(seed, ROWS, calibration_share=0.5)
    parts = data.parts
    y, y_test = parts.calibration.y, parts.test.y
    levels = np.array([alpha / 2, 1 - alpha / 2])
    quantile_net = train_quantiles(parts.train, seed, levels, EPOCHS)
    mean_net = train_regression(parts.train, seed, MEAN_NET, parts.train.y)

    def mean(part: Part) -> FloatArray:
        return mean_net.predict(part.X)[:, 0]

    residual = np.abs(parts.train.y - mean(parts.train))
    spread_net = train_regression(parts.train, seed, SPREAD_NET, residual)

    def weighted(part: Part) -> Centre:
        return Centre(mean(part), spread_net.predict(part.X)[:, 0])

    held_out, raw = ends(quantile_net, parts.calibration.X), ends(quantile_net, parts.test.X)
    cqr = conformalize(y, held_out, raw, alpha)
    split_band, split_correction = residual_band(
        y, Centre(mean(parts.calibration)), Centre(mean(parts.test)), alpha
    )
    local_band, local_correction = residual_band(
        y, weighted(parts.calibration), weighted(parts.test), alpha
    )
    losses, _ = pinball(y_test, quantile_net.predict(parts.test.X), levels)
    metrics: Metrics = {
        "pinball_low": losses[0],
        "pinball_high": losses[1],
        "mean_squared_error": np.mean((y_test - mean(parts.test)) ** 2),
        "quantile_gradient_norm": quantile_net.gradient_norm,
        "mean_gradient_norm": mean_net.gradient_norm,
        "quantile_training_loss": quantile_net.losses.mean(),
        "mean_training_loss": mean_net.losses.mean(),
        "raw_length": raw.length.mean(),
        "cqr_correction": cqr.above,
        "split_correction": split_correction,
        "local_correction": local_correction,
    }
    for name, band in (("cqr", cqr.band), ("split", split_band), ("local", local_band)):
        whole = band_report(y_test, band, alpha)
        by_carat = conditional_report(y_test, band, data.carat, GROUPS, WINDOW)
        metrics[f"{name}_coverage"] = whole.coverage
        metrics[f"{name}_length"] = whole.length
        metrics[f"{name}_interval_score"] = whole.interval_score
        metrics[f"{name}_length_small"] = by_carat.length[0]
        metrics[f"{name}_length_large"] = by_carat.length[-1]
        metrics[f"{name}_coverage_small"] = by_carat.coverage[0]
        metrics[f"{name}_coverage_large"] = by_carat.coverage[-1]
        metrics[f"{name}_coverage_worst"] = by_carat.worst
    return metrics


GRID = np.array([0.02, 0.06, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.88, 0.94, 0.98])
NOMINAL = (0.1, 0.2, 0.5, 0.9)
LOOSE_TARGET = 0.5


def levels(seed: int, alpha: float) -> Metrics:
    """Bands of several nominal levels from one network, conformalized to two target levels."""
    data = prepare(seed, ROWS, calibration_share=0.5)
    parts = data.parts
    model = train_quantiles(parts.train, seed, GRID, EPOCHS)
    y, y_test = parts.calibration.y, parts.test.y
    predicted = model.predict(parts.test.X)
    metrics: Metrics = {
        "grid_loss": pinball(y_test, predicted, GRID)[0].mean(),
        "gradient_norm": model.gradient_norm,
        "crossing_rate": (np.diff(predicted, axis=1) < 0).any(axis=1).mean(),
    }
    for nominal in NOMINAL:
        raw = quantile_band(predicted, GRID, nominal)
        held_out = quantile_band(model.predict(parts.calibration.X), GRID, nominal)
        percent = round(100 * nominal)
        metrics[f"raw_length_{percent}"] = raw.length.mean()
        for name, target in (("target", alpha), ("loose", LOOSE_TARGET)):
            cqr = conformalize(y, held_out, raw, target)
            report = conditional_report(y_test, cqr.band, data.carat, GROUPS, WINDOW)
            metrics[f"{name}_correction_{percent}"] = cqr.above
            metrics[f"{name}_length_{percent}"] = cqr.band.length.mean()
            metrics[f"{name}_length_small_{percent}"] = report.length[0]
            metrics[f"{name}_length_large_{percent}"] = report.length[-1]
    return metrics


NEIGHBOURS_ROWS = 5_000
NEIGHBOURS = (20, 60, 180)
SCORES: tuple[Score, ...] = ("same", "width", "median")
CANDIDATES = np.array([0.08, 0.15, 0.3, 0.5, 0.7, 0.9])
FOLDS = 4
CALIBRATION_SIZES = (24, 64, 200)
TOO_FEW = 8


def neighbours(seed: int, alpha: float) -> Metrics:
    """CQR around nearest neighbours: three scores, small calibration sets, tuned levels."""
    data = prepare(seed, NEIGHBOURS_ROWS, calibration_share=0.5)
    train_part, calibration, test = data.parts.train, data.parts.calibration, data.parts.test
    metrics: Metrics = {}
    for count in NEIGHBOURS:
        known, new = (
            neighbour_quantiles(train_part.X, train_part.y, part.X, count, GRID)
            for part in (calibration, test)
        )
        held_out, raw = quantile_band(known, GRID, alpha), quantile_band(new, GRID, alpha)
        before = band_report(test.y, raw, alpha)
        metrics[f"grid_loss_{count}"] = pinball(test.y, new, GRID)[0].mean()
        metrics[f"raw_coverage_{count}"] = before.coverage
        metrics[f"raw_length_{count}"] = before.length
        metrics[f"raw_interval_score_{count}"] = before.interval_score
        for score in SCORES:
            cqr = conformalize(calibration.y, held_out, raw, alpha, score)
            after = band_report(test.y, cqr.band, alpha)
            by_carat = conditional_report(test.y, cqr.band, data.carat, GROUPS, WINDOW)
            metrics[f"{score}_correction_{count}"] = cqr.above
            metrics[f"{score}_coverage_{count}"] = after.coverage
            metrics[f"{score}_length_{count}"] = after.length
            metrics[f"{score}_interval_score_{count}"] = after.interval_score
            metrics[f"{score}_length_small_{count}"] = by_carat.length[0]
            metrics[f"{score}_coverage_worst_{count}"] = by_carat.worst
    metrics |= small_sets(calibration.y, held_out, test.y, raw, alpha)
    best, lengths = tune_nominal(
        train_part.X, train_part.y, NEIGHBOURS[1], GRID, CANDIDATES, alpha, FOLDS
    )
    metrics["tuned_nominal"] = best
    for nominal, length in zip(CANDIDATES, lengths, strict=True):
        metrics[f"tuning_length_{round(100 * nominal)}"] = length
    return metrics


def small_sets(
    y: FloatArray, held_out: Band, y_test: FloatArray, raw: Band, alpha: float
) -> Metrics:
    """One pair of bands, calibrated many times, each time on a few rows of its own."""

    def calibrations(size: int, score: Score = "same") -> list[Conformal]:
        starts = range(0, len(y) - size + 1, size)
        sets = [slice(start, start + size) for start in starts]
        return [conformalize(y[s], held_out.rows(s), raw, alpha, score) for s in sets]

    few = calibrations(TOO_FEW) + calibrations(TOO_FEW, "sides")
    unbounded = [np.isinf(cqr.above) for cqr in few]
    metrics: Metrics = {"unbounded_share": float(np.mean(unbounded))}
    for size in CALIBRATION_SIZES:
        reports = [band_report(y_test, cqr.band, alpha) for cqr in calibrations(size)]
        asymmetric = calibrations(size, "sides")
        metrics |= {
            f"set_coverage_{size}": np.mean([report.coverage for report in reports]),
            f"set_coverage_spread_{size}": np.std([report.coverage for report in reports]),
            f"set_length_{size}": np.mean([report.length for report in reports]),
            f"set_correction_below_{size}": np.mean([cqr.below for cqr in asymmetric]),
            f"set_correction_above_{size}": np.mean([cqr.above for cqr in asymmetric]),
        }
    return metrics


EXPERIMENTS: dict[str, Callable[[int, float], Metrics]] = {
    "compare": compare,
    "levels": levels,
    "neighbours": neighbours,
}
