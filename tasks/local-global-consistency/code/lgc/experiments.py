"""The experiments: each returns its metrics by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from lgc import draws
from lgc.arrays import FloatArray, Labelled
from lgc.baselines import (
    class_mass_normalisation,
    harmonic,
    nearest_neighbours,
    support_vectors,
)
from lgc.datasets import LOADERS, Data, moons
from lgc.distances import dissimilarities
from lgc.evaluation import report
from lgc.graphs import affinity, propagation_matrix
from lgc.labels import choose_labelled
from lgc.propagation import closed_form, iterate, spectral_path
from lgc.regularisation import cost
from lgc.selection import leave_one_out, spanning_tree_width

Metrics = dict[str, float]

ALPHA = 0.99
SETS = 10
TRIES = 400
NEIGHBOURS = 3
SVM_WIDTH, SVM_BOX = 4.0, 10.0
MEASURES = ("error", "confidence", "margin", "entropy", "brier", "imbalance")
MAIN_MEASURES = ("error", "confidence", "margin", "entropy")


def labelled_sets(data: Data, seed: int, count: int, sets: int = SETS) -> list[Labelled]:
    """Sets of ``count`` labelled points."""
    orders = draws.label_orders(seed, count, TRIES, len(data.y))
    return choose_labelled(orders, data.y, count, sets)


def judged(
    name: str,
    scores: Iterable[FloatArray],
    data: Data,
    sets: list[Labelled],
    measures: tuple[str, ...] = MEASURES,
) -> Metrics:
    """The measures of a method as metrics, averaged over the sets of labelled points."""
    reports = [report(F, data.y, chosen) for F, chosen in zip(scores, sets, strict=True)]
    return {f"{name}_{m}": float(np.mean([getattr(r, m) for r in reports])) for m in measures}


def mean_norm(scores: Iterable[FloatArray]) -> float:
    """The Frobenius norm of the scores, averaged over the sets."""
    return float(np.mean([np.linalg.norm(F) for F in scores]))


def stacked(sets: list[Labelled]) -> FloatArray:
    """The label matrices of all sets, shape (sets, points, classes)."""
    return np.array([chosen.Y for chosen in sets])


def few_and_many(data: Data) -> dict[str, int]:
    """Numbers of labelled points: one and a half, and ten, per class."""
    classes = int(data.y.max()) + 1
    return {"few": 3 * classes // 2, "many": 10 * classes}


EARLY_STEPS = 10


def costs(name: str, W: FloatArray, F: FloatArray, Y: FloatArray, mu: float) -> Metrics:
    found = cost(W, F, Y, mu)
    return {
        f"{name}_cost": found.total,
        f"{name}_smoothness": found.smoothness,
        f"{name}_fitting": found.fitting,
        f"{name}_slope": found.slope,
    }


def labels(name: str, seed: int) -> Metrics:
    """The method, its variants and the methods to compare with, for few and many labels."""
    data = LOADERS[name](seed)
    W = affinity(data.X, data.width)
    metrics: Metrics = {}
    for amount, count in few_and_many(data).items():
        sets = labelled_sets(data, seed, count)
        Y = stacked(sets)
        fields = [harmonic(W, chosen) for chosen in sets]
        methods: dict[str, Iterable[FloatArray]] = {
            "consistency": closed_form(propagation_matrix(W), Y, ALPHA),
            "walk": closed_form(propagation_matrix(W, "walk"), Y, ALPHA),
            "transpose": closed_form(propagation_matrix(W, "transpose"), Y, ALPHA),
            "harmonic": fields,
            "mass": [class_mass_normalisation(F, s) for F, s in zip(fields, sets, strict=True)],
            "nearest": [nearest_neighbours(data.X, s, NEIGHBOURS) for s in sets],
            "support": [support_vectors(data.X, s, SVM_WIDTH * data.width, SVM_BOX) for s in sets],
        }
        for method, scores in methods.items():
            metrics |= judged(f"{method}_{amount}", scores, data, sets)
            metrics[f"{method}_{amount}_norm"] = mean_norm(scores)
        metrics |= costs(f"harmonic_{amount}", W, fields[0], Y[0], 1.0 / ALPHA - 1.0)
        trace = iterate(propagation_matrix(W), Y[0], ALPHA, 0.0, EARLY_STEPS)
        metrics[f"early_{amount}_length"] = float(trace.changes.sum())
        metrics[f"early_{amount}_norm"] = float(np.linalg.norm(trace.F))
    return metrics


ALPHAS = {"50": 0.5, "90": 0.9, "99": 0.99, "999": 0.999}
TIMES = {"3": 3.0, "30": 30.0}
LEFT_OUT_SETS = 4
RANKS_PER_CLASS = 5
GRAPH_NEIGHBOURS = 15
WIDTH_FACTORS = {"narrow": 0.75, "wide": 1.25}
LABELS_PER_CLASS = 3


def settings(dataset: str, seed: int) -> Metrics:
    """What alpha, the number of eigenvectors, the width and the kind of graph do."""
    data = LOADERS[dataset](seed)
    classes = int(data.y.max()) + 1
    sets = labelled_sets(data, seed, LABELS_PER_CLASS * classes)
    Y = stacked(sets)
    S = propagation_matrix(affinity(data.X, data.width))
    metrics: Metrics = {}
    for rank, kept in (("full", len(data.y)), ("low", RANKS_PER_CLASS * classes)):
        for kind, strengths in (("alpha", ALPHAS), ("heat", TIMES)):
            path = spectral_path(S, Y, kind, list(strengths.values()), kept)
            for strength, scores in zip(strengths, path, strict=True):
                name = f"{rank}_{kind}_{strength}"
                metrics |= judged(name, scores, data, sets, MAIN_MEASURES)
                metrics[f"{name}_norm"] = mean_norm(scores)
    for label, alpha in ALPHAS.items():
        left_out = [leave_one_out(S, chosen, alpha) for chosen in sets[:LEFT_OUT_SETS]]
        metrics[f"left_out_{label}_error"] = float(np.mean([one.error for one in left_out]))
        metrics[f"left_out_{label}_brier"] = float(np.mean([one.brier for one in left_out]))
        metrics[f"left_out_{label}_influence"] = float(np.mean([one.influence for one in left_out]))
    graphs = {
        "cosine": affinity(data.X, data.cosine_width, "cosine"),
        "sparse": affinity(data.X, data.width, neighbours=GRAPH_NEIGHBOURS),
        "sparse_cosine": affinity(data.X, data.cosine_width, "cosine", GRAPH_NEIGHBOURS),
    }
    graphs |= {w: affinity(data.X, factor * data.width) for w, factor in WIDTH_FACTORS.items()}
    for graph, W in graphs.items():
        scores = closed_form(propagation_matrix(W), Y, ALPHA)
        metrics |= judged(graph, scores, data, sets, MAIN_MEASURES)
        metrics[f"{graph}_degree"] = float(W.sum(axis=1).mean())
        metrics[f"{graph}_edges"] = float(np.count_nonzero(W, axis=1).mean())
    squares = dissimilarities(data.X, data.X)
    widths = [
        spanning_tree_width(squares, np.where(chosen.Y.any(axis=1), data.y, -1)) for chosen in sets
    ]
    trees = [
        closed_form(propagation_matrix(affinity(data.X, width)), chosen.Y[None], ALPHA)[0]
        for width, chosen in zip(widths, sets, strict=True)
    ]
    metrics["tree_width"] = float(np.mean(widths))
    return metrics | judged("tree", trees, data, sets, MAIN_MEASURES)


TOLERANCE, LIMIT = 1e-4, 2000
STEPS = (1, 5, 25)
MUS = {"tenth": 0.1, "one": 1.0, "ten": 10.0}


def iteration(name: str, seed: int) -> Metrics:
    """The way of the iteration to the limit, and the cost that the limit minimises."""
    metrics: Metrics = {}
    for label, data, per_class in (
        ("moons", moons(seed), 1),
        ("data", LOADERS[name](seed), LABELS_PER_CLASS),
    ):
        classes = int(data.y.max()) + 1
        sets = labelled_sets(data, seed, per_class * classes, 1)
        Y = sets[0].Y
        W = affinity(data.X, data.width)
        S = propagation_matrix(W)
        mu = 1.0 / ALPHA - 1.0
        limit = closed_form(S, Y[None], ALPHA)[0]
        metrics |= costs(f"{label}_start", W, Y, Y, mu)
        metrics |= costs(f"{label}_limit", W, limit, Y, mu)
        for steps in STEPS:
            trace = iterate(S, Y, ALPHA, 0.0, steps)
            metrics |= costs(f"{label}_{steps}", W, trace.F, Y, mu)
            metrics |= judged(f"{label}_{steps}", [trace.F], data, sets, MAIN_MEASURES)
            metrics[f"{label}_{steps}_distance"] = float(np.linalg.norm(trace.F - limit))
        field = harmonic(W, sets[0])
        walk = propagation_matrix(W, "walk")
        for way, trace, end in (
            ("consistency", iterate(S, Y, ALPHA, TOLERANCE, LIMIT), limit),
            ("walk", iterate(walk, Y, ALPHA, TOLERANCE, LIMIT), limit),
            ("clamped", iterate(walk, Y, 1.0, TOLERANCE, LIMIT, clamped=True), field),
        ):
            metrics |= judged(f"{label}_{way}", [trace.F], data, sets, MAIN_MEASURES)
            metrics[f"{label}_{way}_steps"] = float(len(trace.changes))
            metrics[f"{label}_{way}_length"] = float(trace.changes.sum())
            metrics[f"{label}_{way}_switches"] = float(trace.switches.sum())
            metrics[f"{label}_{way}_distance"] = float(np.linalg.norm(trace.F - end))
        metrics |= costs(f"{label}_harmonic", W, field, Y, mu)
        for size, weight in MUS.items():
            best = closed_form(S, Y[None], 1.0 / (1.0 + weight))[0]
            metrics |= costs(f"{label}_{size}", W, best, Y, weight)
    return metrics


EXPERIMENTS: dict[str, Callable[[str, int], Metrics]] = {
    "labels": labels,
    "settings": settings,
    "iteration": iteration,
}
