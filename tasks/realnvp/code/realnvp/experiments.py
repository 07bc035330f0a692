"""The experiments: each returns its metrics by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log

import numpy as np
import torch

from realnvp import draws, sources
from realnvp.arrays import FloatArray, on_device
from realnvp.evaluation import energy_distance, gaussian_baselines
from realnvp.flow import Flow, Plan, build_flow, log_prior
from realnvp.preprocessing import prepare_images, prepare_table, to_shares
from realnvp.training import History, Schedule, train

Metrics = dict[str, float]

TRAIN_ROWS = 1500
TEST_ROWS = 500
SAMPLES = 400
TABLE_PLAN = Plan(levels=("cccccc",), hidden=24)

TRAIN_IMAGES = 1200
TEST_IMAGES = 500
IMAGE_PLAN = Plan(levels=("kkscc", "kk"), hidden=32)

SCHEDULE = Schedule(rate=0.03, warmup=10, penalty=1e-4)
STEPS = 150
BATCH = 100


@dataclass(frozen=True)
class Part:
    """Real numbers, shape (rows, channels, height, width), and their log-determinant per row."""

    y: FloatArray
    log_det: FloatArray

    @property
    def dims(self) -> int:
        return int(np.prod(self.y.shape[1:]))

    @property
    def flat(self) -> FloatArray:
        return self.y.reshape(len(self.y), -1)

    def bits(self, log_density: FloatArray) -> float:
        """Bits per dimension of the discrete data, from log densities of y."""
        return float(-(log_density + self.log_det).mean() / (self.dims * log(2.0)))


def split(y: FloatArray, log_det: FloatArray, n_train: int) -> tuple[Part, Part]:
    return Part(y[:n_train], log_det[:n_train]), Part(y[n_train:], log_det[n_train:])


def table_parts(name: str, seed: int) -> tuple[Part, Part]:
    """Random rows of a table to train and to test."""
    table = sources.TABLES[name]()
    rows = draws.permutation(seed, len(table.values))[: TRAIN_ROWS + TEST_ROWS]
    chosen = replace(table, values=table.values[rows])
    noise = draws.noise(seed, chosen.values.shape)
    y, log_det = prepare_table(chosen, noise, TRAIN_ROWS)
    return split(y[:, :, None, None], log_det, TRAIN_ROWS)


def image_parts(seed: int) -> tuple[Part, Part]:
    """Random digits to train and to test."""
    images = sources.digits()
    chosen = images[draws.permutation(seed, len(images))[: TRAIN_IMAGES + TEST_IMAGES]]
    y, log_det = prepare_images(chosen, sources.LEVELS, draws.noise(seed, chosen.shape))
    return split(y, log_det, TRAIN_IMAGES)


def fit(plan: Plan, part: Part, seed: int) -> tuple[Flow, History]:
    rows, channels, height, width = part.y.shape
    flow = build_flow(plan, (channels, height, width), seed)
    batches = draws.batches(seed, rows, BATCH, STEPS)
    return flow, train(flow, on_device(part.y), batches, SCHEDULE)


def history_metrics(history: History) -> Metrics:
    first, quarter = history.losses[0], len(history.losses) // 4
    return {
        "first_loss": float(first),
        "mean_drop": float(first - history.losses.mean()),
        "last_drop": float(first - history.losses[-quarter:].mean()),
        "first_norm": float(history.norms[0]),
        "mean_norm": float(history.norms.mean()),
        "train_log_det": float(history.log_dets[-quarter:].mean()),
    }


def baselines(part: Part, test: Part) -> Metrics:
    diagonal, full = gaussian_baselines(part.flat, test.flat)
    independent, gaussian = test.bits(diagonal), test.bits(full)
    return {
        "independent_bits": independent,
        "gaussian_bits": gaussian,
        "correlation_gain": independent - gaussian,
    }


@torch.no_grad()
def judge(flow: Flow, part: Part, test: Part) -> Metrics:
    """Bits per dimension on both parts, and what the latents of the test part look like."""
    metrics: Metrics = {}
    for name, one in (("train", part), ("test", test)):
        z, log_det = flow.forward(on_device(one.y))
        metrics[f"{name}_bits"] = one.bits((log_prior(z) + log_det).cpu().numpy())
    latents = z.cpu().numpy()
    changes = log_det.cpu().numpy() / test.dims
    centred = (latents - latents.mean(axis=0)) / latents.std(axis=0)
    correlation = centred.T @ centred / len(centred)
    metrics["log_det"] = float(changes.mean())
    metrics["log_det_spread"] = float(changes.std())
    metrics["latent_square"] = float((latents**2).mean())
    metrics["latent_fourth"] = float((centred**4).mean())
    metrics["latent_correlation"] = float(np.sqrt((np.tril(correlation, -1) ** 2).mean()))
    metrics["latent_first_half"] = float((latents[:, : test.dims // 2] ** 2).mean())
    return metrics


@torch.no_grad()
def judge_samples(
    flow: Flow, test: Part, seed: int, view: Callable[[FloatArray], FloatArray]
) -> Metrics:
    """Samples against the test part, both as ``view`` shows them."""
    z = on_device(draws.latents(seed, SAMPLES, test.dims))
    x, log_det = flow.inverse(z)
    again, _ = flow.forward(x)
    samples = view(x.cpu().numpy().reshape(SAMPLES, -1))
    data = view(test.flat)
    distance, spread = energy_distance(samples, data)
    return {
        "inverse_log_det": float(log_det.mean() / test.dims),
        "energy": distance,
        "sample_spread": spread,
        "sample_scale": float(np.median(np.abs(samples))),
        "round_trip": float((again - z).abs().max()),
    }


def prefixed(prefix: str, metrics: Metrics) -> Metrics:
    return {f"{prefix}_{name}": value for name, value in metrics.items()}


def fit_and_judge(
    plan: Plan, part: Part, test: Part, seed: int, view: Callable[[FloatArray], FloatArray]
) -> Metrics:
    flow, history = fit(plan, part, seed)
    metrics = history_metrics(history) | judge(flow, part, test)
    metrics["gain"] = baselines(part, test)["gaussian_bits"] - metrics["test_bits"]
    return metrics | judge_samples(flow, test, seed, view)


def unchanged(rows: FloatArray) -> FloatArray:
    return rows


def density(seed: int, table: str) -> Metrics:
    """A table: affine and additive coupling layers, and normal distributions."""
    part, test = table_parts(table, seed)
    metrics = baselines(part, test)
    for name, plan in (("affine", TABLE_PLAN), ("additive", replace(TABLE_PLAN, additive=True))):
        metrics |= prefixed(name, fit_and_judge(plan, part, test, seed, unchanged))
    return metrics


def ablation(seed: int, table: str) -> Metrics:
    """A table: fewer layers, masks that do not alternate, and no batch normalisation."""
    part, test = table_parts(table, seed)
    metrics = baselines(part, test)
    plans = {
        "two": replace(TABLE_PLAN, levels=("cc",)),
        "four": replace(TABLE_PLAN, levels=("cccc",)),
        "fixed": replace(TABLE_PLAN, levels=("cccc",), fixed=True),
        "plain": replace(TABLE_PLAN, levels=("cccc",), normalise=False),
    }
    for name, plan in plans.items():
        metrics |= prefixed(name, fit_and_judge(plan, part, test, seed, unchanged))
    return metrics


def images(seed: int, table: str) -> Metrics:
    """Digits: two scales, with affine and with additive coupling layers."""
    part, test = image_parts(seed)
    metrics = baselines(part, test)
    for name, plan in (("affine", IMAGE_PLAN), ("additive", replace(IMAGE_PLAN, additive=True))):
        metrics |= prefixed(name, fit_and_judge(plan, part, test, seed, to_shares))
    return metrics


EXPERIMENTS: dict[str, Callable[[int, str], Metrics]] = {
    "density": density,
    "ablation": ablation,
    "images": images,
}
