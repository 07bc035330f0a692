"""The experiments: each returns its metrics by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deepsurv import draws
from deepsurv.arrays import FloatArray, LogRisk
from deepsurv.cohorts import (
    Cohort,
    design_matrix,
    gaussian_log_risk,
    linear_log_risk,
    survival_times,
    treated_log_risk,
)
from deepsurv.cox import fit_linear, partial_likelihood
from deepsurv.curves import baseline_hazard, kaplan_meier, survival_curves
from deepsurv.evaluation import concordance, integrated_brier
from deepsurv.studies import STUDIES, Study
from deepsurv.training import DeepSurv, Schedule, train
from deepsurv.treatment import judge, recommend

Metrics = dict[str, float]

TRAIN_PATIENTS = 2000
TEST_PATIENTS = 1000
FEATURES = 6
HIDDEN = (24, 24)
GRID_POINTS = 20
GROUP = 8

STEPS = 200
RATE = 0.015
DECAY = 0.01
SIMULATED_PENALTY = 0.0015


def fit_network(
    cohort: Cohort, seed: int, penalty: float, hidden: tuple[int, ...] = HIDDEN
) -> DeepSurv:
    params = draws.initial_params(seed, (cohort.X.shape[1], *hidden, 1))
    return train(params, cohort, Schedule(STEPS, RATE, DECAY, penalty))


def time_grid(cohort: Cohort) -> FloatArray:
    """Times from the first to the last decile of the follow-up."""
    low, high = np.quantile(cohort.time, [0.1, 0.9])
    return np.linspace(low, high, GRID_POINTS)


def judge_model(model: LogRisk, cohort: Cohort, test: Cohort) -> Metrics:
    """Ranking, likelihood and predicted survival on the test part.

    Likelihood and Brier score are told as gains over a model without features.
    """
    on_train, on_test = model(cohort.X), model(test.X)
    loss, slope = partial_likelihood(test.time, test.event, on_test)
    null_loss, _ = partial_likelihood(test.time, test.event, np.zeros_like(on_test))
    baseline = baseline_hazard(cohort.time, cohort.event, on_train)
    grid = time_grid(test)
    survival = survival_curves(baseline, on_test, grid)
    marginal = kaplan_meier(cohort.time, cohort.event).survival.at(grid)
    null_survival = np.tile(marginal, (len(on_test), 1))
    brier = integrated_brier(test.time, test.event, survival, grid)
    return {
        "c_index": concordance(test.time, test.event, on_test)[0],
        "loss": loss,
        "loss_gain": null_loss - loss,
        "slope": float(np.linalg.norm(slope)),
        "brier": brier,
        "brier_gain": integrated_brier(test.time, test.event, null_survival, grid) - brier,
        "spread": float(on_test.std()),
        "early_hazard": float(baseline.mean_until(grid[0]) * np.exp(on_train.mean())),
        "hazard": float(baseline.at(grid[-1:])[0] * np.exp(on_train.mean())),
        "survival": float(survival[:, GRID_POINTS // 2].mean()),
    }


def training_metrics(network: DeepSurv) -> Metrics:
    return {
        "first_loss": float(network.losses[0]),
        "loss_drop": float(network.losses[0] - network.losses[-1]),
        "mean_drop": float(network.losses[0] - network.losses.mean()),
        "first_norm": float(network.norms[0]),
        "mean_norm": float(network.norms.mean()),
    }


def prefixed(prefix: str, metrics: Metrics) -> Metrics:
    return {f"{prefix}_{name}": value for name, value in metrics.items()}


def centred_error(log_risk: FloatArray, truth: FloatArray) -> float:
    """Root mean squared error of a log risk, which is known up to a constant only."""
    return float((log_risk - truth).std())


def simulate(
    seed: int, part: int, patients: int, true_log_risk: LogRisk
) -> tuple[Cohort, FloatArray]:
    X = draws.covariates(seed, part, patients, FEATURES)
    truth = true_log_risk(X)
    time, event = survival_times(truth, draws.fates(seed, part, patients))
    return Cohort(X, time, event), truth


def grouped(test: Cohort, log_risk: FloatArray) -> tuple[float, float]:
    """Concordance and comparable pairs, averaged over consecutive small groups of patients."""
    groups = [slice(start, start + GROUP) for start in range(0, len(log_risk), GROUP)]
    found = [concordance(test.time[g], test.event[g], log_risk[g]) for g in groups]
    index, pairs = np.mean(found, axis=0)
    return float(index), float(pairs)


def simulated(seed: int, study: str) -> Metrics:
    """A linear and a Gaussian log risk: the linear model and the network on each."""
    metrics: Metrics = {}
    for name, log_risk in (("linear", linear_log_risk), ("gaussian", gaussian_log_risk)):
        cohort, _ = simulate(seed, 0, TRAIN_PATIENTS, log_risk)
        test, truth = simulate(seed, 1, TEST_PATIENTS, log_risk)
        cox = fit_linear(cohort.X, cohort.time, cohort.event)
        network = fit_network(cohort, seed, SIMULATED_PENALTY)
        metrics[f"{name}_event_share"] = float(cohort.event.mean())
        c_index, pairs = concordance(test.time, test.event, truth)
        metrics[f"{name}_true_c_index"] = c_index
        metrics[f"{name}_pairs"] = pairs
        metrics[f"{name}_group_c_index"], metrics[f"{name}_group_pairs"] = grouped(test, truth)
        metrics[f"{name}_cox_errors"] = float(cox.errors.mean())
        metrics |= prefixed(name, training_metrics(network))
        for kind, model in (("cox", cox), ("deep", network)):
            metrics |= prefixed(f"{name}_{kind}", judge_model(model, cohort, test))
            metrics[f"{name}_{kind}_error"] = centred_error(model(test.X), truth)
    return metrics


def prepare(study: Study) -> tuple[Cohort, Cohort, FloatArray]:
    """Both parts and the treatments, with features standardised by the training part."""
    raw = design_matrix(study.train.columns, study.features)
    shift, scale = raw.mean(axis=0), raw.std(axis=0)
    X_test = design_matrix(study.test.columns, study.features)
    n_treatment = study.arms.shape[1]
    arms = (study.arms - shift[-n_treatment:]) / scale[-n_treatment:]
    train_part = Cohort((raw - shift) / scale, study.train.time, study.train.event)
    test = Cohort((X_test - shift) / scale, study.test.time, study.test.event)
    return train_part, test, arms


def validate(seed: int, study: str) -> Metrics:
    """Real patients: the linear model, a network without hidden layers, and the network."""
    chosen = STUDIES[study](seed)
    cohort, test, _ = prepare(chosen)
    cox = fit_linear(cohort.X, cohort.time, cohort.event)
    network = fit_network(cohort, seed, chosen.penalty)
    shallow = fit_network(cohort, seed, chosen.penalty, hidden=())
    observed = kaplan_meier(test.time, test.event)
    grid = time_grid(test)
    metrics: Metrics = {
        "observed_survival": float(observed.survival.at(grid)[GRID_POINTS // 2]),
        "observed_error": float(observed.error.at(grid)[GRID_POINTS // 2]),
        "cox_errors": float(cox.errors.mean()),
        "cox_size": float(np.linalg.norm(cox.coefficients)),
        "shallow_distance": centred_error(shallow(test.X), cox(test.X)),
        "deep_distance": centred_error(network(test.X), cox(test.X)),
    }
    metrics |= training_metrics(network)
    for kind, model in (("cox", cox), ("shallow", shallow), ("deep", network)):
        metrics |= prefixed(kind, judge_model(model, cohort, test))
    return metrics


def simulate_trial(seed: int, part: int, patients: int) -> tuple[Cohort, FloatArray]:
    """A randomised trial, the treatment as the last feature (-1 or 1), and its true log risks."""
    X = draws.covariates(seed, part, patients, FEATURES)
    arm = draws.arms(seed, part, patients)
    time, event = survival_times(treated_log_risk(X, arm), draws.fates(seed, part, patients))
    truth = [treated_log_risk(X, np.full(patients, value)) for value in (0, 1)]
    return Cohort(np.column_stack([X, 2.0 * arm - 1.0]), time, event), np.stack(truth, axis=1)


def treatment(seed: int, study: str) -> Metrics:
    """Treatment recommended by the network and by the linear model: simulated and real."""
    metrics: Metrics = {}
    cohort, _ = simulate_trial(seed, 0, TRAIN_PATIENTS)
    test, truth = simulate_trial(seed, 1, TEST_PATIENTS)
    arms = np.array([[-1.0], [1.0]])
    horizon = float(np.quantile(test.time, 0.8))
    network = fit_network(cohort, seed, SIMULATED_PENALTY)
    models: list[tuple[str, LogRisk]] = [
        ("cox", fit_linear(cohort.X, cohort.time, cohort.event)),
        ("deep", network),
    ]
    metrics |= prefixed("trial", training_metrics(network))
    for kind, model in models:
        advice = recommend(model, test.X, arms)
        effect = advice.log_risks[:, 1] - advice.log_risks[:, 0]
        rows = np.arange(len(truth))
        metrics |= prefixed(f"trial_{kind}", judge(test, advice, horizon))
        metrics[f"trial_{kind}_effect_error"] = float(
            np.sqrt(np.mean((effect - (truth[:, 1] - truth[:, 0])) ** 2))
        )
        metrics[f"trial_{kind}_regret"] = float((truth[rows, advice.best] - truth.min(1)).mean())
    chosen = STUDIES[study](seed)
    cohort, test, arms = prepare(chosen)
    network = fit_network(cohort, seed, chosen.penalty)
    advice = recommend(network, test.X, arms)
    metrics |= prefixed("study", judge(test, advice, chosen.horizon))
    metrics["study_effect_spread"] = float((advice.log_risks[:, -1] - advice.log_risks[:, 0]).std())
    metrics["study_c_index"] = concordance(test.time, test.event, network(test.X))[0]
    return metrics


EXPERIMENTS: dict[str, Callable[[int, str], Metrics]] = {
    "simulated": simulated,
    "validate": validate,
    "treatment": treatment,
}
