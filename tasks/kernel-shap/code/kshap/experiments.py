"""The experiments: each returns its metrics by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kshap import draws
from kshap.arrays import CoalitionSample, Explanation, FloatArray, Model
from kshap.closed_form import deep_shap, linear_shap, max_shap
from kshap.coalitions import all_coalitions, sample_coalitions, shapley_kernel
from kshap.datasets import Data, load
from kshap.evaluation import report
from kshap.kernel import kernel_shap
from kshap.models import SparseModel, fit_linear, fit_network, largest_feature
from kshap.regression import constrained_regression, lime
from kshap.values import coalition_values, exact_shapley, sampling_values

Metrics = dict[str, float]

BUDGETS = (100, 300, 1000)
FEW = 3
LIME_WIDTH, LIME_RIDGE = 0.25, 1.0


def exact(model: Model, data: Data) -> FloatArray:
    """Shapley values of all explained rows from all coalitions, shape (rows, features)."""
    masks = all_coalitions(data.X.shape[1])
    values = [coalition_values(model, x, data.background, masks) for x in data.explained]
    return np.array([exact_shapley(v) for v in values])


def coalition_sample(seed: int, budget: int, features: int) -> CoalitionSample:
    uniforms = draws.coalition_uniforms(seed, budget, features)
    return sample_coalitions(features, budget, uniforms)


def unpaired_sample(seed: int, budget: int, features: int) -> CoalitionSample:
    """LIME's random coalitions, weighted so that sizes count as in the Shapley kernel."""
    masks = draws.lime_coalitions(seed, budget, features)[1:]
    sizes = masks.sum(axis=1)
    return CoalitionSample(masks, 1.0 / (sizes * (features - sizes)))


def by_kernel(
    model: Model, data: Data, sample: CoalitionSample, strength: float = 0.0
) -> list[Explanation]:
    rows = data.explained
    return [kernel_shap(model, x, data.background, sample, strength) for x in rows]


def by_sampling(
    model: Model, data: Data, seed: int, budget: int
) -> tuple[list[Explanation], FloatArray]:
    """Sampling with as many model evaluations as ``budget`` coalitions take, and its error."""
    size, features = data.background.shape
    count = budget * size // (features + 1)
    base = float(model(data.background).mean())
    explanations, errors = [], []
    for row, x in enumerate(data.explained):
        orders = draws.feature_orders(seed, row, count, features)
        picks = draws.background_picks(seed, row, count, size)
        phi, error = sampling_values(model, x, data.background, orders, picks)
        explanations.append(Explanation(base, phi))
        errors.append(error)
    return explanations, np.array(errors)


def by_lime(model: Model, data: Data, seed: int, budget: int) -> list[Explanation]:
    masks = draws.lime_coalitions(seed, budget, data.X.shape[1])
    values = [coalition_values(model, x, data.background, masks) for x in data.explained]
    return [lime(masks, v, LIME_WIDTH, LIME_RIDGE) for v in values]


def compared(
    name: str,
    explanations: Sequence[Explanation],
    truth: FloatArray,
    model: Model,
    data: Data,
) -> Metrics:
    """The report on one method as metrics."""
    found = report(explanations, truth, model(data.explained))
    return {
        f"{name}_rmse": found.rmse,
        f"{name}_worst": found.worst,
        f"{name}_angle": found.angle,
        f"{name}_gap": found.gap,
    }


def size_of(phi: FloatArray) -> float:
    """Mean over rows of the Euclidean norm of the attributions."""
    return float(np.linalg.norm(phi, axis=-1).mean())


def weighting(model: Model, data: Data, truth: FloatArray) -> Metrics:
    """Regressions on all coalitions that differ in nothing but their weights."""
    features = data.X.shape[1]
    masks = all_coalitions(features)
    inner = masks[1:-1]
    sizes = inner.sum(axis=1)
    kernel = shapley_kernel(features)[sizes]
    weights = {
        "shapley": kernel,
        "uniform": np.ones(len(inner)),
        "small": np.where(2 * sizes <= features, kernel, 0.0),
    }
    values = [coalition_values(model, x, data.background, masks) for x in data.explained]
    metrics: Metrics = {"kernel_mass": kernel.sum()}
    for label, weight in weights.items():
        sample = CoalitionSample(inner, weight)
        explanations = [
            Explanation(v[0], constrained_regression(sample, v[1:-1], v[0], v[-1])) for v in values
        ]
        metrics |= compared(label, explanations, truth, model, data)
    for width in WIDTHS:
        explanations = [lime(masks, v, width, LIME_RIDGE) for v in values]
        metrics |= compared(f"lime_{round(100 * width)}", explanations, truth, model, data)
    return metrics


def budget(name: str, seed: int) -> Metrics:
    """Kernel SHAP, Shapley sampling and LIME on a dense model: few coalitions, and all."""
    data = load(name, seed)
    model = fit_network(data.X, data.y, seed)
    truth = exact(model, data)
    few, few_errors = by_sampling(model, data, seed, FEW)
    metrics: Metrics = {"exact_norm": size_of(truth), "sampling_error_few": few_errors.mean()}
    metrics |= compared("sampling_few", few, truth, model, data)
    for count in BUDGETS:
        sample = coalition_sample(seed, count, data.X.shape[1])
        unpaired = by_kernel(model, data, unpaired_sample(seed, count, data.X.shape[1]))
        sampled, errors = by_sampling(model, data, seed, count)
        metrics |= compared(f"kernel_{count}", by_kernel(model, data, sample), truth, model, data)
        metrics |= compared(f"unpaired_{count}", unpaired, truth, model, data)
        metrics |= compared(f"sampling_{count}", sampled, truth, model, data)
        metrics |= compared(f"lime_{count}", by_lime(model, data, seed, count), truth, model, data)
        metrics |= {
            f"sampling_error_{count}": errors.mean(),
            f"effective_{count}": 1.0 / (sample.weights**2).sum(),
            f"outer_size_{count}": sample.weights @ np.abs(sample.masks.mean(axis=1) - 0.5),
        }
    return metrics | weighting(model, data, truth)


SPARSE_FEATURES = 4
SPARSE_BUDGETS = (70, 200)
STRENGTHS = {"lasso": 0.05, "strong": 0.2}


def sparse(name: str, seed: int) -> Metrics:
    """The same on a model that uses few of many features, with and without the lasso."""
    data = load(name, seed)
    features = data.X.shape[1]
    kept = draws.kept_features(seed, np.arange(features), SPARSE_FEATURES)
    small = Data(data.X[:, kept], data.y, data.background[:, kept], data.explained[:, kept])
    network = fit_network(small.X, small.y, seed)
    model = SparseModel(network, kept)
    truth = np.zeros(data.explained.shape)
    truth[:, kept] = exact(network, small)
    metrics: Metrics = {"exact_norm": size_of(truth)}
    for count in SPARSE_BUDGETS:
        sample = coalition_sample(seed, count, features)
        methods = {
            "plain": by_kernel(model, data, sample),
            "sampling": by_sampling(model, data, seed, count)[0],
            "lime": by_lime(model, data, seed, count),
        }
        for label, strength in STRENGTHS.items():
            methods[label] = by_kernel(model, data, sample, strength)
            used = np.array([e.phi != 0.0 for e in methods[label]])
            metrics[f"{label}_features_{count}"] = used.sum(axis=1).mean()
        for label, explanations in methods.items():
            metrics |= compared(f"{label}_{count}", explanations, truth, model, data)
    return metrics


WIDTHS = (0.15, 0.25, 0.5)


SMALL_BUDGET = 40


def closed(name: str, seed: int) -> Metrics:
    """Closed forms for a linear model, for the maximum, and for a network."""
    data = load(name, seed)
    features = data.X.shape[1]
    sample = coalition_sample(seed, SMALL_BUDGET, features)
    everything = coalition_sample(seed, 2**features - 2, features)
    linear = fit_linear(data.X, data.y)
    network = fit_network(data.X, data.y, seed)
    cases: dict[str, tuple[Model, list[Explanation]]] = {
        "linear": (linear, [linear_shap(linear, x, data.background) for x in data.explained]),
        "max": (largest_feature, [max_shap(x, data.background) for x in data.explained]),
        "deep": (network, [deep_shap(network, x, data.background) for x in data.explained]),
    }
    metrics: Metrics = {}
    for label, (model, explanations) in cases.items():
        truth = exact(model, data)
        phi = np.array([e.phi for e in explanations])
        metrics[f"{label}_base"] = np.mean([e.base for e in explanations])
        metrics[f"{label}_norm"] = size_of(phi)
        metrics[f"{label}_largest"] = np.abs(phi).max(axis=1).mean()
        metrics |= compared(label, explanations, truth, model, data)
        kernel = by_kernel(model, data, sample)
        metrics |= compared(f"{label}_kernel", kernel, truth, model, data)
        lime_explanations = by_lime(model, data, seed, SMALL_BUDGET)
        metrics |= compared(f"{label}_lime", lime_explanations, truth, model, data)
        complete = by_kernel(model, data, everything)
        metrics |= compared(f"{label}_complete", complete, truth, model, data)
    return metrics


EXPERIMENTS: dict[str, Callable[[str, int], Metrics]] = {
    "budget": budget,
    "sparse": sparse,
    "closed": closed,
}
