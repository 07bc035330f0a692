"""What theory expects of an estimator, and what many logs show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offpolicy.arrays import FloatArray, IntArray
from offpolicy.estimators import Estimate


@dataclass(frozen=True)
class Moments:
    """Bias and standard deviation of an estimate, and the three parts of its variance.

    The parts are those of a single event: noise of the rewards, spread over contexts, and the
    part that comes from drawing the action.
    """

    bias: float
    noise: float
    spread: float
    exploration: float
    sd: float


@dataclass(frozen=True)
class Summary:
    """Estimates on many logs against the truth.

    ``stated`` is the mean standard error that the estimates claim, ``tail`` a high quantile of the
    absolute error, ``effective`` the mean effective number of events.
    """

    bias: float
    sd: float
    rmse: float
    stated: float
    tail: float
    effective: float


def expected_moments(
    policy: IntArray,
    expected: FloatArray,
    predicted: FloatArray,
    propensities: FloatArray,
    assumed: FloatArray,
    noise_variance: float,
    events: int,
) -> Moments:
    chosen = (np.arange(len(policy)), policy)
    p = propensities[chosen]
    error = predicted[chosen] - expected[chosen]
    delta = 1.0 - p / assumed[chosen]
    offset = error * delta
    noise = float((noise_variance * (1.0 - delta) ** 2 / p).mean())
    spread = float((expected[chosen] + offset).var())
    exploration = float(((1.0 - p) / p * (error * (1.0 - delta)) ** 2).mean())
    sd = float(np.sqrt((noise + spread + exploration) / events))
    return Moments(float(offset.mean()), noise, spread, exploration, sd)


def summarise(estimates: Sequence[Estimate], truth: float) -> Summary:
    values = np.array([estimate.value for estimate in estimates])
    errors = values - truth
    stated = np.array([estimate.error for estimate in estimates])
    effective = np.array([estimate.effective for estimate in estimates])
    return Summary(
        bias=float(errors.mean()),
        sd=float(values.std(ddof=1)),
        rmse=float(np.sqrt((errors**2).mean())),
        stated=float(stated.mean()),
        tail=float(np.quantile(np.abs(errors), 0.9)),
        effective=float(effective.mean()),
    )
