"""The experiments: each returns its metrics by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from offpolicy import draws
from offpolicy.arrays import FloatArray, IntArray, Log, design
from offpolicy.datasets import Classes, load_classes, load_visits
from offpolicy.estimators import Estimate, direct_method, doubly_robust, inverse_propensity
from offpolicy.evaluation import expected_moments, summarise
from offpolicy.logistic import fit_binary, fit_softmax, sigmoid, softmax
from offpolicy.policies import draw_log, logging_policy, selection_probabilities
from offpolicy.rewards import event_tables, fit_rewards, impute_rewards, predict_rewards
from offpolicy.trees import Tree, fit_filter_tree, fit_offset_tree

Metrics = dict[str, float]
Estimator = Callable[[Log], Estimate]

NOISE = 0.1
PENALTY = 1.0
MODEL_PENALTY = 100.0
TREE_PENALTY = 1.0
BEHAVIOUR_PENALTY = 10.0
KNOWN_ROWS = 60
SHARE = 0.7
EVENTS = 500
LOGS = 300
CAP = 5.0
LEARNING_LOGS = 4
FOLDS = 3
RATES = (0.1, 0.3)
VISIT_EVENTS = 2000
PILOT, MEASURED, LEARNING = 0, 1, 2


def prefixed(prefix: str, metrics: Metrics) -> Metrics:
    return {f"{prefix}_{name}": value for name, value in metrics.items()}


def reward_table(labels: IntArray, k: int) -> FloatArray:
    """The reward without noise: 1 for the right class."""
    return np.eye(k)[labels]


def noisy(table: FloatArray) -> FloatArray:
    """Expected rewards when a share of them is flipped."""
    return NOISE + (1.0 - 2.0 * NOISE) * table


def loggers(data: Classes) -> Iterable[tuple[str, FloatArray, FloatArray]]:
    """Propensities of two logging policies on the training and on the test part."""
    uniform = 1.0 / data.k
    same = np.full((len(data.y_train) + len(data.y_test), data.k), uniform)
    yield "uniform", same[: len(data.y_train)], same[len(data.y_train) :]
    theta = fit_softmax(data.X_train[:KNOWN_ROWS], data.y_train[:KNOWN_ROWS], data.k, PENALTY)
    every = np.vstack([data.X_train, data.X_test])
    policy = logging_policy(design(every) @ theta.T, SHARE)
    yield "skewed", policy[: len(data.X_train)], policy[len(data.X_train) :]


def estimators_of(
    policy: IntArray,
) -> tuple[Callable[..., Estimator], Callable[[FloatArray, FloatArray], Estimator]]:
    """Inverse propensity scores and the doubly robust estimator, ready for a log."""

    def ips(propensities: FloatArray, **options: Any) -> Estimator:
        return lambda log: inverse_propensity(log, policy, propensities, **options)

    def dr(propensities: FloatArray, predicted: FloatArray) -> Estimator:
        return lambda log: doubly_robust(log, policy, propensities, predicted)

    return ips, dr


def measure(estimators: dict[str, Estimator], logs: Iterable[Log], truth: float) -> Metrics:
    """Apply all estimators to the same logs."""
    found: dict[str, list[Estimate]] = {name: [] for name in estimators}
    for log in logs:
        for name, estimator in estimators.items():
            found[name].append(estimator(log))
    metrics: Metrics = {}
    for name, estimates in found.items():
        metrics |= prefixed(name, asdict(summarise(estimates, truth)))
    return metrics


def evaluate(name: str, seed: int) -> Metrics:
    """A classifier's value from logs of other policies, with known and with wrong propensities."""
    data = load_classes(name, seed)
    theta = fit_softmax(data.X_train, data.y_train, data.k, PENALTY)
    policy = np.argmax(design(data.X_test) @ theta.T, axis=1)
    train_table = reward_table(data.y_train, data.k)
    table = reward_table(data.y_test, data.k)
    expected = noisy(table)
    rows = np.arange(len(policy))
    truth = float(expected[rows, policy].mean())
    ips, dr = estimators_of(policy)
    metrics: Metrics = {"value": truth, "theta_norm": float(np.linalg.norm(theta))}
    for logger, train_p, p in loggers(data):
        everyone = np.arange(len(train_p))
        uniforms = draws.events(seed, PILOT, 0, len(train_p))
        pilot = draw_log(train_table, train_p, everyone, uniforms, NOISE)
        model = fit_rewards(
            data.X_train, *event_tables(pilot, np.ones(len(pilot.rows)), data.k), PENALTY
        )
        predicted = predict_rewards(data.X_test, model)
        behaviour = fit_softmax(data.X_train, pilot.actions, data.k, BEHAVIOUR_PENALTY)
        estimated = softmax(design(data.X_test) @ behaviour.T)
        wrong = np.full_like(p, 1.0 / data.k)
        nothing = np.zeros_like(predicted)
        logs = (
            draw_log(
                table,
                p,
                draws.contexts(seed, number, EVENTS, len(rows)),
                draws.events(seed, MEASURED, number, EVENTS),
                NOISE,
            )
            for number in range(LOGS)
        )
        estimators: dict[str, Estimator] = {
            "dm": partial(direct_method, policy=policy, predicted=predicted),
            "ips": ips(p),
            "snips": ips(p, normalise=True),
            "dr": dr(p, predicted),
            "ips_estimated": ips(estimated),
            "dr_estimated": dr(estimated, predicted),
        }
        theory = {
            "ips": (nothing, p),
            "dr": (predicted, p),
            "ips_estimated": (nothing, estimated),
            "dr_estimated": (predicted, estimated),
        }
        if logger == "skewed":
            estimators["clipped"] = ips(p, cap=CAP)
            estimators["ips_wrong"] = ips(wrong)
            estimators["dr_wrong"] = dr(wrong, predicted)
            theory |= {"ips_wrong": (nothing, wrong), "dr_wrong": (predicted, wrong)}
        part = measure(estimators, logs, truth)
        for kind, (rewards, assumed) in theory.items():
            moments = expected_moments(
                policy, expected, rewards, p, assumed, NOISE * (1.0 - NOISE), EVENTS
            )
            part |= prefixed(f"{kind}_expected", asdict(moments))
        part["p_target"] = float(p[rows, policy].mean())
        part["entropy"] = float(-(p * np.log(p)).sum(axis=1).mean())
        part["model_error"] = float(np.sqrt(((predicted - expected) ** 2).mean()))
        part["p_error"] = float(np.abs(estimated - p).mean())
        metrics |= prefixed(logger, part)
    return metrics


def visits(name: str, seed: int) -> Metrics:
    """The mean number of visits of all patients from a biased sample of them."""
    data = load_visits(name, seed)
    pilot_rows, rest = np.split(np.arange(len(data.X)), [len(data.X) // 2])
    table = np.column_stack([np.zeros(len(data.X)), data.counts])
    policy = np.ones(len(rest), dtype=np.int64)
    truth = float(data.counts[rest].mean())
    ips, dr = estimators_of(policy)
    metrics: Metrics = {}
    for rate in RATES:
        selected = selection_probabilities(data.X, rate)
        p = np.column_stack([1.0 - selected, selected])
        uniforms = draws.events(seed, PILOT, 0, len(pilot_rows))
        pilot = draw_log(table, p, pilot_rows, uniforms, 0.0)
        X = data.X[pilot_rows]
        seen = pilot.actions == 1
        model = fit_rewards(X, *event_tables(pilot, np.ones(len(X)), 2), PENALTY)
        predicted = predict_rewards(data.X[rest], model)
        beta = fit_binary(X, seen, np.ones(len(X)), PENALTY)
        guess = sigmoid(design(data.X[rest]) @ beta)
        estimated = np.column_stack([1.0 - guess, guess])
        known = p[rest]
        same = np.full_like(known, 0.5)
        nothing = np.zeros_like(predicted)
        logs = (
            draw_log(
                table[rest],
                known,
                draws.contexts(seed, number, VISIT_EVENTS, len(rest)),
                draws.events(seed, MEASURED, number, VISIT_EVENTS),
                0.0,
            )
            for number in range(LOGS)
        )
        estimators: dict[str, Estimator] = {
            "plain": ips(same, normalise=True),
            "dm": partial(direct_method, policy=policy, predicted=predicted),
            "ips": ips(known),
            "dr": dr(known, predicted),
            "ips_estimated": ips(estimated),
            "snips_estimated": ips(estimated, normalise=True),
            "dr_estimated": dr(estimated, predicted),
        }
        part = measure(estimators, logs, truth)
        for kind, rewards, assumed in (
            ("ips", nothing, known),
            ("dr", predicted, known),
            ("ips_estimated", nothing, estimated),
            ("dr_estimated", predicted, estimated),
        ):
            moments = expected_moments(
                policy, table[rest], rewards, known, assumed, 0.0, VISIT_EVENTS
            )
            part |= prefixed(f"{kind}_expected", asdict(moments))
            del part[f"{kind}_expected_noise"]
        part["p_spread"] = float(selected.std())
        part["p_error"] = float(np.abs(guess - known[:, 1]).mean())
        part["beta_norm"] = float(np.linalg.norm(beta[1:]))
        part["model_norm"] = float(np.linalg.norm(model[1]))
        part["model_error"] = float(np.sqrt(((predicted[:, 1] - data.counts[rest]) ** 2).mean()))
        metrics |= prefixed(f"rate_{round(100 * rate)}", part)
    return metrics


def learn(name: str, seed: int) -> Metrics:
    """Policies learned from a log, with rewards imputed in three ways and two reductions."""
    data = load_classes(name, seed)
    table = reward_table(data.y_train, data.k) - 1.0
    test = reward_table(data.y_test, data.k)
    expected = noisy(table + 1.0) - 1.0
    metrics: Metrics = {}

    def judge(policy: IntArray) -> float:
        return float(test[np.arange(len(policy)), policy].mean())

    for logger, p, _ in loggers(data):
        runs: list[Metrics] = []
        for number in range(LEARNING_LOGS):
            everyone = np.arange(len(p))
            log = draw_log(table, p, everyone, draws.events(seed, LEARNING, number, len(p)), NOISE)
            folds = draws.folds(seed, number, len(p), FOLDS)
            predicted, imputed = impute_rewards(data.X_train, log, p, folds, MODEL_PENALTY)
            _, weighted = impute_rewards(data.X_train, log, p, folds, None)
            run: Metrics = {}
            for kind, rewards in (("dm", predicted), ("ips", weighted), ("dr", imputed)):
                run[f"{kind}_error"] = float(np.sqrt(((rewards - expected) ** 2).mean()))
                run[f"{kind}_spread"] = float(rewards.std())
                scores = fit_rewards(data.X_train, rewards, np.ones_like(rewards), PENALTY)
                tree = fit_filter_tree(data.X_train, rewards, TREE_PENALTY)
                policies = {
                    "regression": predict_rewards(data.X_test, scores).argmax(axis=1),
                    "tree": tree.choose(data.X_test),
                }
                run[f"{kind}_regression_norm"] = float(np.linalg.norm(scores))
                run[f"{kind}_tree_norm"] = float(np.linalg.norm(tree.coefficients))
                run |= {f"{kind}_{way}_loss": 1.0 - judge(a) for way, a in policies.items()}
                own = tree.choose(data.X_train)
                run[f"{kind}_tree_claim"] = doubly_robust(log, own, p, predicted).value
            offset: Tree = fit_offset_tree(data.X_train, log, p, -0.5, TREE_PENALTY)
            run["offset_loss"] = 1.0 - judge(offset.choose(data.X_test))
            run["offset_norm"] = float(np.linalg.norm(offset.coefficients))
            own = offset.choose(data.X_train)
            run["offset_claim"] = inverse_propensity(log, own, p).value
            runs.append(run)
        means = {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
        metrics |= prefixed(logger, means)
    return metrics


EXPERIMENTS: dict[str, Callable[[str, int], Metrics]] = {
    "evaluate": evaluate,
    "visits": visits,
    "learn": learn,
}
