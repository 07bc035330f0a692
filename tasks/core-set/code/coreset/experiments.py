"""The experiments: each returns its metrics by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from coreset import draws
from coreset.arrays import IntArray, Query
from coreset.bounds import core_set_loss, coverage, risk_bound
from coreset.classifier import fit, log_probabilities
from coreset.datasets import DATASETS
from coreset.features import embed, pairwise_distances
from coreset.greedy import greedy_cover, k_center_greedy, k_median_greedy
from coreset.learning import History, Problem, active_learning, curve_area
from coreset.robust import integer_cover, robust_k_center
from coreset.uncertainty import most_uncertain, mutual_information, uncertainty

Metrics = dict[str, float]

POOL = 600
UNITS = 80
TRIALS = 3
OUTLIERS = 30

COVER_INITIAL = 20
COVER_BUDGETS = (20, 60)
SMALL_POOL, SMALL_INITIAL, SMALL_BUDGET, SMALL_OUTLIERS = 80, 3, 8, 4

INITIAL = 30
BATCH = 30
ROUNDS = 4
BATCHES = (90, 30, 10)
PENALTY = 0.001
PASSES, KEEP = 10, 0.8
CONFIDENCE = 0.95
SMALL_TERM = 0.05


def prepare(seed: int, data: str) -> Problem:
    """Pool and test rows in random order, embedded, with the distances within the pool."""
    X, y = DATASETS[data]()
    order = draws.row_order(seed, len(X))
    X, y = X[order], y[order]
    directions = draws.directions(seed, X.shape[1], UNITS)
    H = embed(X, POOL, directions, draws.offsets(seed, UNITS))
    distances = pairwise_distances(H[:POOL], H[:POOL])
    return Problem(H[:POOL], y[:POOL], H[POOL:], y[POOL:], distances, int(y.max()) + 1)


def averaged(trials: list[Metrics]) -> Metrics:
    return {name: float(np.mean([trial[name] for trial in trials])) for name in trials[0]}


def prefixed(prefix: str, metrics: Metrics) -> Metrics:
    return {f"{prefix}_{name}": value for name, value in metrics.items()}


def cover_once(problem: Problem, order: IntArray, budget: int) -> Metrics:
    """One batch by each way of choosing that looks at distances alone, and a random one."""
    D, initial = problem.distances, order[:COVER_INITIAL]
    center, radii = k_center_greedy(D, initial, budget)
    median, means = k_median_greedy(D, initial, budget)
    robust, radius = robust_k_center(D, initial, budget, OUTLIERS, greedy_cover)
    random = order[COVER_INITIAL : COVER_INITIAL + budget]
    metrics = {
        "center_trace": float(radii.mean()),
        "center_fall": float(radii[0] - radii[-1]),
        "median_trace": float(means.mean()),
        "median_fall": float(means[0] - means[-1]),
        "robust_search": radius,
    }
    batches = {"random": random, "center": center, "median": median, "robust": robust}
    for name, batch in batches.items():
        found = coverage(D, np.concatenate([initial, batch]), OUTLIERS)
        metrics |= prefixed(name, asdict(found))
    return metrics


def exact_once(problem: Problem, order: IntArray) -> Metrics:
    """Smallest radii that any choice can reach on a small pool, next to the greedy ones."""
    small = order[:SMALL_POOL]
    D, initial = problem.distances[np.ix_(small, small)], np.arange(SMALL_INITIAL)
    greedy = k_center_greedy(D, initial, SMALL_BUDGET)[1][-1]
    found: Metrics = {}
    for name, outliers in (("all", 0), ("most", SMALL_OUTLIERS)):
        for kind, feasible in (("exact", integer_cover), ("cover", greedy_cover)):
            chosen, radius = robust_k_center(D, initial, SMALL_BUDGET, outliers, feasible)
            reached = coverage(D, np.concatenate([initial, chosen]), outliers)
            found[f"{kind}_{name}"] = radius
            found[f"{kind}_{name}_reached"] = reached.robust_radius
    return found | {"greedy_all": float(greedy), "greedy_ratio": greedy / found["exact_all"]}


def radius(seed: int, data: str) -> Metrics:
    """Radii and other distances of one batch, and the best radii on a small pool."""
    problem = prepare(seed, data)
    orders = [draws.pool_order(seed, trial, POOL) for trial in range(TRIALS)]
    metrics: Metrics = {}
    for budget in COVER_BUDGETS:
        trials = [cover_once(problem, order, budget) for order in orders]
        metrics |= prefixed(f"b{budget}", averaged(trials))
    return metrics | prefixed("small", averaged([exact_once(problem, order) for order in orders]))


def queries(problem: Problem, order: IntArray, seed: int, budget: int) -> dict[str, Query]:
    """Every way of choosing a batch of ``budget`` points, by name."""
    D, H = problem.distances, problem.H
    masks = draws.dropout_masks(seed, PASSES, UNITS, KEEP)

    def by_measure(measure: str) -> Query:
        return lambda weights, labelled: most_uncertain(
            uncertainty(log_probabilities(weights, H), measure), labelled, budget
        )

    return {
        "random": lambda weights, labelled: order[len(labelled) : len(labelled) + budget],
        "entropy": by_measure("entropy"),
        "margin": by_measure("margin"),
        "confidence": by_measure("confidence"),
        "bald": lambda weights, labelled: most_uncertain(
            mutual_information(weights, H, masks, KEEP)[0], labelled, budget
        ),
        "median": lambda weights, labelled: k_median_greedy(D, labelled, budget)[0],
        "center": lambda weights, labelled: k_center_greedy(D, labelled, budget)[0],
        "robust": lambda weights, labelled: robust_k_center(
            D, labelled, budget, OUTLIERS, greedy_cover
        )[0],
    }


def judge(problem: Problem, history: History) -> Metrics:
    """The learning curve, and how well the labelled points stand for the pool in the end."""
    found = coverage(problem.distances, history.labelled, OUTLIERS)
    losses = core_set_loss(
        history.weights, problem.H, problem.y, problem.distances, history.labelled
    )
    return {
        "accuracy": curve_area(history.counts, history.accuracy),
        "loss": curve_area(history.counts, history.loss),
        "final_loss": float(history.loss[-1]),
        "pool_loss": losses.pool,
        "labelled_loss": losses.labelled,
        "gap": losses.gap,
        "slope": losses.slope,
        "radius": found.radius,
        "mean_distance": found.mean,
        "balance": found.balance,
    }


def curves(seed: int, data: str) -> Metrics:
    """Learning curves of the ways to choose, with core-set losses and the bound."""
    problem = prepare(seed, data)
    whole = fit(problem.H, problem.y, problem.classes, PENALTY)
    metrics: Metrics = {}
    for name in ("random", "entropy", "bald", "median", "center", "robust"):
        trials = []
        for trial in range(TRIALS):
            order = draws.pool_order(seed, trial, POOL)
            query = queries(problem, order, seed, BATCH)[name]
            history = active_learning(problem, order[:INITIAL], query, ROUNDS, PENALTY)
            found = judge(problem, history)
            covering, sampling = risk_bound(
                history.weights, whole, found["radius"], POOL, CONFIDENCE
            )
            masks = draws.dropout_masks(seed, PASSES, UNITS, KEEP)
            scores, spreads = mutual_information(history.weights, problem.H, masks, KEEP)
            entropies = uncertainty(log_probabilities(history.weights, problem.H), "entropy")
            trials.append(
                found
                | {"bound": covering, "information": float(scores.mean())}
                | {"spread": float(spreads.mean()), "entropy": float(entropies.mean())}
            )
        metrics |= prefixed(name, averaged(trials))
    metrics["sampling_rows"] = POOL * (sampling / SMALL_TERM) ** 2
    return metrics


def batches(seed: int, data: str) -> Metrics:
    """The same number of labels in one large batch and in smaller ones."""
    problem = prepare(seed, data)
    metrics: Metrics = {}
    for batch in BATCHES:
        for name in ("margin", "confidence", "robust"):
            trials = []
            for trial in range(TRIALS):
                order = draws.pool_order(seed, trial, POOL)
                query = queries(problem, order, seed, batch)[name]
                rounds = BATCHES[0] // batch
                history = active_learning(problem, order[:INITIAL], query, rounds, PENALTY)
                log_p = log_probabilities(history.weights, problem.H)
                scores = uncertainty(log_p, "confidence" if name == "robust" else name)
                found = judge(problem, history) | {"uncertainty": float(scores.mean())}
                del found["gap"]  # close to 0 here: both of its losses are told
                trials.append(found)
            metrics |= prefixed(f"{name}_{batch}", averaged(trials))
    return metrics


EXPERIMENTS: dict[str, Callable[[int, str], Metrics]] = {
    "radius": radius,
    "curves": curves,
    "batches": batches,
}
