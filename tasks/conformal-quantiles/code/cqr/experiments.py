"""The experiments: each returns its metrics by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from cqr import draws
from cqr.arrays import Band, FloatArray, IntArray
from cqr.conformal import CQR, Centre, residual_band
from cqr.diamonds import design_matrix, load_diamonds
from cqr.evaluation import band_report, group_report
from cqr.losses import Loss, pinball, squared
from cqr.network import initial_params
from cqr.preparation import Scaler, Split, three_way_split
from cqr.quantiles import quantile_band
from cqr.training import Fit, fit

Metrics = dict[str, float]

ROWS = 10_000
TEST_SHARE = 0.2
HIDDEN = (64, 64)
BATCH_SIZE = 64
BASE_RATE = 0.002
EPOCHS = 80
GROUPS = 5

QUANTILE_NET, MEAN_NET, SPREAD_NET = 0, 1, 2


@dataclass(frozen=True)
class Data:
    """Scaled features and responses of all rows, their carats, and the three parts."""

    X: FloatArray
    y: FloatArray
    carat: FloatArray
    split: Split


def prepare(seed: int, calibration_share: float) -> Data:
    """Draw the rows, split them, and scale by the proper training part."""
    columns = load_diamonds()
    X, y = design_matrix(columns), columns["price"]
    order = draws.permutation(seed, len(y))[:ROWS]
    split = three_way_split(order, TEST_SHARE, calibration_share)
    scaler = Scaler.fit(X[split.train], y[split.train])
    return Data(scaler.features(X), scaler.response(y), columns["carat"], split)


def train(
    data: Data,
    seed: int,
    net: int,
    target: FloatArray,
    loss: Loss,
    bias: FloatArray,
    epochs: int,
) -> Fit:
    """Train network ``net`` on the proper training part, with outputs starting at ``bias``."""
    sizes = (data.X.shape[1], *HIDDEN, len(bias))
    params = initial_params(draws.weight_normals(seed, net, sizes), bias)
    batches = draws.batches(seed, net, len(target), epochs, BATCH_SIZE)
    return fit(params, data.X[data.split.train], target, loss, batches, BASE_RATE)


def train_quantiles(data: Data, seed: int, levels: FloatArray, epochs: int) -> Fit:
    y = data.y[data.split.train]
    loss = partial(pinball, levels=levels)
    return train(data, seed, QUANTILE_NET, y, loss, np.quantile(y, levels), epochs)


def train_regression(data: Data, seed: int, net: int, target: FloatArray) -> Fit:
    bias = np.array([target.mean()])
    return train(data, seed, net, target, squared, bias, EPOCHS)


def ends(model: Fit, X: FloatArray) -> Band:
    """The band of a network with two outputs, put in order where they cross."""
    first, second = model.predict(X).T
    return Band(np.minimum(first, second), np.maximum(first, second))


def compare(seed: int, alpha: float) -> Metrics:
    """CQR against split conformal and locally weighted split conformal."""
    data = prepare(seed, calibration_share=0.5)
    train_rows, test_rows = data.split.train, data.split.test
    calibration_rows = data.split.calibration
    y, y_test = data.y[calibration_rows], data.y[test_rows]
    levels = np.array([alpha / 2, 1 - alpha / 2])
    quantile_net = train_quantiles(data, seed, levels, EPOCHS)
    mean_net = train_regression(data, seed, MEAN_NET, data.y[train_rows])

    def mean(rows: IntArray) -> FloatArray:
        return mean_net.predict(data.X[rows])[:, 0]

    residual = np.abs(data.y[train_rows] - mean(train_rows))
    spread_net = train_regression(data, seed, SPREAD_NET, residual)

    def weighted(rows: IntArray) -> Centre:
        return Centre(mean(rows), spread_net.predict(data.X[rows])[:, 0])

    cqr = CQR.calibrate(y, ends(quantile_net, data.X[calibration_rows]), alpha)
    cqr_band = cqr.conformalize(ends(quantile_net, data.X[test_rows]))
    split_band, split_correction = residual_band(
        y, Centre(mean(calibration_rows)), Centre(mean(test_rows)), alpha
    )
    local_band, local_correction = residual_band(
        y, weighted(calibration_rows), weighted(test_rows), alpha
    )
    losses, _ = pinball(y_test, quantile_net.predict(data.X[test_rows]), levels)
    metrics: Metrics = {
        "pinball_low": losses[0],
        "pinball_high": losses[1],
        "mean_squared_error": np.mean((y_test - mean(test_rows)) ** 2),
        "quantile_gradient_norm": quantile_net.gradient_norm,
        "mean_gradient_norm": mean_net.gradient_norm,
        "quantile_training_loss": quantile_net.losses.mean(),
        "mean_training_loss": mean_net.losses.mean(),
        "cqr_correction": cqr.above,
        "split_correction": split_correction,
        "local_correction": local_correction,
    }
    for name, band in (("cqr", cqr_band), ("split", split_band), ("local", local_band)):
        whole = band_report(y_test, band, alpha)
        by_carat = group_report(y_test, band, data.carat[test_rows], GROUPS)
        metrics[f"{name}_coverage"] = whole.coverage
        metrics[f"{name}_length"] = whole.length
        metrics[f"{name}_interval_score"] = whole.interval_score
        metrics[f"{name}_length_ratio"] = by_carat.length[-1] / by_carat.length[0]
        metrics[f"{name}_coverage_small"] = by_carat.coverage[0]
        metrics[f"{name}_coverage_large"] = by_carat.coverage[-1]
    return metrics


TRAINING_LENGTHS = (20, 80, 240)


def uncalibrated(seed: int, alpha: float) -> Metrics:
    """Quantile networks trained ever longer on few rows, before and after calibration."""
    data = prepare(seed, calibration_share=0.75)
    y, y_test = data.y[data.split.calibration], data.y[data.split.test]
    levels = np.array([alpha / 2, 1 - alpha / 2])
    per_epoch = len(data.split.train) // BATCH_SIZE
    metrics: Metrics = {}
    for epochs in TRAINING_LENGTHS:
        model = train_quantiles(data, seed, levels, epochs)
        losses, _ = pinball(y_test, model.predict(data.X[data.split.test]), levels)
        raw = ends(model, data.X[data.split.test])
        held_out = ends(model, data.X[data.split.calibration])
        symmetric = CQR.calibrate(y, held_out, alpha)
        asymmetric = CQR.calibrate(y, held_out, alpha, symmetric=False)
        before = band_report(y_test, raw, alpha)
        after = band_report(y_test, symmetric.conformalize(raw), alpha)
        two_sided = band_report(y_test, asymmetric.conformalize(raw), alpha)
        metrics |= {
            f"training_loss_{epochs}": model.losses[-per_epoch:].mean(),
            f"test_loss_{epochs}": losses.sum(),
            f"raw_miss_below_{epochs}": before.miss_below,
            f"raw_miss_above_{epochs}": before.miss_above,
            f"raw_length_{epochs}": before.length,
            f"raw_interval_score_{epochs}": before.interval_score,
            f"correction_{epochs}": symmetric.above,
            f"correction_below_{epochs}": asymmetric.below,
            f"correction_above_{epochs}": asymmetric.above,
            f"cqr_coverage_{epochs}": after.coverage,
            f"cqr_length_{epochs}": after.length,
            f"cqr_interval_score_{epochs}": after.interval_score,
            f"asymmetric_coverage_{epochs}": two_sided.coverage,
            f"asymmetric_length_{epochs}": two_sided.length,
        }
    return metrics


GRID = np.array([0.02, 0.06, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.88, 0.94, 0.98])
NOMINAL = (0.1, 0.2, 0.5, 0.9)
LOOSE_TARGET = 0.5


def levels(seed: int, alpha: float) -> Metrics:
    """Bands of several nominal levels from one network, conformalized to two target levels."""
    data = prepare(seed, calibration_share=0.5)
    model = train_quantiles(data, seed, GRID, EPOCHS)
    y, y_test = data.y[data.split.calibration], data.y[data.split.test]
    held_out = model.predict(data.X[data.split.calibration])
    predicted = model.predict(data.X[data.split.test])
    metrics: Metrics = {
        "grid_loss": pinball(y_test, predicted, GRID)[0].mean(),
        "gradient_norm": model.gradient_norm,
        "crossing_rate": (np.diff(predicted, axis=1) < 0).any(axis=1).mean(),
    }
    for nominal in NOMINAL:
        raw = quantile_band(predicted, GRID, nominal)
        percent = round(100 * nominal)
        metrics[f"raw_length_{percent}"] = raw.length.mean()
        for name, target in (("target", alpha), ("loose", LOOSE_TARGET)):
            cqr = CQR.calibrate(y, quantile_band(held_out, GRID, nominal), target)
            band = cqr.conformalize(raw)
            report = group_report(y_test, band, data.carat[data.split.test], GROUPS)
            metrics[f"{name}_correction_{percent}"] = cqr.above
            metrics[f"{name}_length_{percent}"] = band.length.mean()
            metrics[f"{name}_length_small_{percent}"] = report.length[0]
            metrics[f"{name}_length_large_{percent}"] = report.length[-1]
    return metrics


CALIBRATION_SIZES = (24, 64, 200)
TOO_FEW = 8


def calibration(seed: int, alpha: float) -> Metrics:
    """One network, calibrated many times, each time on a few rows of its own."""
    data = prepare(seed, calibration_share=0.5)
    model = train_quantiles(data, seed, np.array([alpha / 2, 1 - alpha / 2]), EPOCHS)
    y, y_test = data.y[data.split.calibration], data.y[data.split.test]
    held_out = ends(model, data.X[data.split.calibration])
    raw = ends(model, data.X[data.split.test])

    def calibrations(size: int, symmetric: bool = True) -> list[CQR]:
        starts = range(0, len(y) - size + 1, size)
        parts = [slice(start, start + size) for start in starts]
        return [CQR.calibrate(y[p], held_out.rows(p), alpha, symmetric) for p in parts]

    metrics: Metrics = {
        "raw_length": raw.length.mean(),
        "raw_coverage": band_report(y_test, raw, alpha).coverage,
        "unbounded_share": np.mean([np.isinf(cqr.above) for cqr in calibrations(TOO_FEW)]),
    }
    for size in CALIBRATION_SIZES:
        reports = [band_report(y_test, cqr.conformalize(raw), alpha) for cqr in calibrations(size)]
        asymmetric = calibrations(size, symmetric=False)
        metrics |= {
            f"coverage_{size}": np.mean([report.coverage for report in reports]),
            f"coverage_spread_{size}": np.std([report.coverage for report in reports]),
            f"length_{size}": np.mean([report.length for report in reports]),
            f"correction_below_{size}": np.mean([cqr.below for cqr in asymmetric]),
            f"correction_above_{size}": np.mean([cqr.above for cqr in asymmetric]),
        }
    return metrics


EXPERIMENTS: dict[str, Callable[[int, float], Metrics]] = {
    "compare": compare,
    "uncalibrated": uncalibrated,
    "levels": levels,
    "calibration": calibration,
}
