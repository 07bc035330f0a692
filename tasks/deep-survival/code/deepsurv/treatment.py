"""Recommending the treatment with the lowest predicted risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepsurv.arrays import BoolArray, FloatArray, IntArray, LogRisk
from deepsurv.cohorts import Cohort
from deepsurv.cox import fit_linear
from deepsurv.curves import kaplan_meier


@dataclass(frozen=True)
class Recommendation:
    """Log risk of every patient under every treatment, and what follows from it.

    ``best`` is the recommended treatment; ``gain`` is the recommender function of the given
    treatment and the best, 0 where they are the same; ``followed`` says that they are.
    """

    log_risks: FloatArray
    best: IntArray
    gain: FloatArray
    followed: BoolArray


def recommend(log_risk: LogRisk, X: FloatArray, arms: FloatArray) -> Recommendation:
    first = X.shape[1] - arms.shape[1]
    log_risks = np.zeros((len(X), len(arms)))
    distances = np.zeros((len(X), len(arms)))
    for arm, values in enumerate(arms):
        changed = X.copy()
        changed[:, first:] = values
        log_risks[:, arm] = log_risk(changed)
        distances[:, arm] = np.abs(X[:, first:] - values).sum(axis=1)
    best = np.argmin(log_risks, axis=1)
    given = np.argmin(distances, axis=1)
    rows = np.arange(len(X))
    gain = log_risks[rows, given] - log_risks[rows, best]
    return Recommendation(log_risks, best, gain, given == best)


def judge(cohort: Cohort, advice: Recommendation, horizon: float) -> dict[str, float]:
    """Survival of those who got what was recommended against that of the others."""
    followed = kaplan_meier(cohort.time[advice.followed], cohort.event[advice.followed])
    against = kaplan_meier(cohort.time[~advice.followed], cohort.event[~advice.followed])
    indicator = advice.followed[:, None].astype(np.float64)
    effect = fit_linear(indicator, cohort.time, cohort.event)
    return {
        "followed_share": float(advice.followed.mean()),
        "followed_survival": followed.survival.mean_until(horizon),
        "against_survival": against.survival.mean_until(horizon),
        "followed_error": float(followed.error.at(np.array([horizon]))[0]),
        "against_error": float(against.error.at(np.array([horizon]))[0]),
        "hazard_ratio": float(np.exp(effect.coefficients[0])),
        "hazard_error": float(effect.errors[0]),
        "mean_gain": float(advice.gain.mean()),
    }
