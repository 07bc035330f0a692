"""From values that are whole multiples of a step to real numbers, with the log-determinant."""

from __future__ import annotations

import numpy as np

from realnvp.arrays import FloatArray
from realnvp.sources import Table

ALPHA = 0.05


def prepare_table(table: Table, noise: FloatArray, n_train: int) -> tuple[FloatArray, FloatArray]:
    logs = table.logs
    values = table.values + table.steps * (noise - 0.5)
    slopes = np.ones_like(values)
    slopes[:, logs] = 1.0 / values[:, logs]
    values[:, logs] = np.log(values[:, logs])
    known = values[:n_train]
    shift = known.mean(axis=0)
    scale = known.std(axis=0)
    y = (values - shift) / scale
    factors = slopes * table.steps / scale
    log_det = np.log(factors).sum(axis=1)
    return y, log_det


def prepare_images(
    pixels: FloatArray, levels: int, noise: FloatArray
) -> tuple[FloatArray, FloatArray]:
    span = 1.0 - 2.0 * ALPHA
    share = (pixels + noise) / levels
    inside = ALPHA + span * share
    outside = 1.0 - inside
    y = np.log(inside) - np.log(outside)
    slopes = span / levels / (inside * outside)
    log_det = np.log(slopes).reshape(len(pixels), -1).sum(axis=1)
    return y, log_det


def to_shares(y: FloatArray) -> FloatArray:
    """Brightness between 0 and 1 of the real numbers that stand for pixels."""
    bounded = 0.5 * (1.0 + np.tanh(0.5 * y))
    return np.clip((bounded - ALPHA) / (1.0 - 2.0 * ALPHA), 0.0, 1.0)
