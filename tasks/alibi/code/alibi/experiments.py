"""The experiments: each returns its metrics by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from alibi.arrays import Method
from alibi.corpus import Corpus, load
from alibi.evaluation import attention_profile, evaluate
from alibi.network import Architecture
from alibi.training import LanguageModel, Schedule, fit

Metrics = dict[str, float]

SHORT, LONG = 32, 64
TOKENS = 512
LENGTHS = (32, 64, 128, 256)
STRIDE = 8
LAST = 20
EARLY = 8


def learn(method: Method, corpus: Corpus, length: int, seed: int) -> LanguageModel:
    architecture = Architecture(method, corpus.symbols)
    schedule = Schedule(length, TOKENS // length)
    return fit(architecture, corpus.train, schedule, seed)


def training(model: LanguageModel) -> Metrics:
    """What was seen while the model was trained."""
    return {
        "first_loss": model.losses[0],
        "loss_drop": model.losses[0] - model.losses[-LAST:].mean(),
        "mean_drop": model.losses[0] - model.losses.mean(),
        "first_norm": model.norms[0],
        "mean_norm": model.norms.mean(),
        "clipped_norm": model.clipped.mean(),
        "first_move": model.moves[0],
        "mean_move": model.moves.mean(),
        "last_move": model.moves[-LAST:].mean(),
    }


def lengths(model: LanguageModel, corpus: Corpus, trained: int) -> Metrics:
    """Losses on windows of several lengths, and what becomes of them beyond ``trained``."""
    found = {n: evaluate(model, corpus.test, n, n) for n in LENGTHS}
    longest = found[LENGTHS[-1]]
    metrics = {f"loss_{n}": evaluation.loss for n, evaluation in found.items()}
    metrics |= {f"growth_{n}": found[n].loss - found[trained].loss for n in LENGTHS if n > trained}
    metrics["curse"] = longest.curve[:EARLY].mean() - longest.curve[EARLY:trained].mean()
    metrics["beyond"] = longest.curve[trained:].mean() - longest.curve[EARLY:trained].mean()
    profile = attention_profile(longest.attention, trained)
    metrics |= {
        "distance": profile.distance.mean(),
        "entropy": profile.entropy.mean(),
        "far": profile.far.mean(),
        "steep_distance": profile.distance[:, 0].mean(),
        "flat_distance": profile.distance[:, -1].mean(),
        "last_layer_entropy": profile.entropy[-1].mean(),
    }
    return metrics


def sliding(model: LanguageModel, corpus: Corpus, trained: int, plain: float) -> Metrics:
    """The loss with overlapping windows of the trained length, and what that gains."""
    overlapping = evaluate(model, corpus.test, trained, STRIDE)
    return {"sliding": overlapping.loss, "sliding_gain": plain - overlapping.loss}


def prefixed(name: str, metrics: Metrics) -> Metrics:
    return {f"{name}_{key}": value for key, value in metrics.items()}


def blind(model: LanguageModel, corpus: Corpus, trained: int, plain: float) -> float:
    """How much the loss rises when a trained model is not told about positions any more."""
    architecture = replace(model.architecture, method="none")
    without = evaluate(replace(model, architecture=architecture), corpus.test, trained, trained)
    return without.loss - plain


def extrapolate(name: str, seed: int) -> Metrics:
    """Linear biases and sinusoids, trained on short windows and tested on long ones."""
    corpus = load(name, seed)
    metrics: Metrics = {}
    for method in ("alibi", "sinusoidal"):
        model = learn(method, corpus, SHORT, seed)
        metrics |= prefixed(method, training(model))
        metrics |= prefixed(method, lengths(model, corpus, SHORT))
        plain = metrics[f"{method}_loss_{SHORT}"]
        metrics[f"{method}_blind"] = blind(model, corpus, SHORT, plain)
    for n in LENGTHS:
        metrics[f"gain_{n}"] = metrics[f"sinusoidal_loss_{n}"] - metrics[f"alibi_loss_{n}"]
    return metrics


def rotary(name: str, seed: int) -> Metrics:
    """Linear biases and rotary positions, on short, long and overlapping windows."""
    corpus = load(name, seed)
    metrics: Metrics = {}
    for method in ("alibi", "rotary"):
        model = learn(method, corpus, SHORT, seed)
        metrics |= prefixed(method, training(model))
        metrics |= prefixed(method, lengths(model, corpus, SHORT))
        plain = metrics[f"{method}_loss_{SHORT}"]
        metrics |= prefixed(method, sliding(model, corpus, SHORT, plain))
        metrics[f"{method}_blind"] = blind(model, corpus, SHORT, plain)
    for n in LENGTHS:
        metrics[f"gain_{n}"] = metrics[f"rotary_loss_{n}"] - metrics[f"alibi_loss_{n}"]
    return metrics


def trainshort(name: str, seed: int) -> Metrics:
    """Linear biases trained on short windows, sinusoids on windows twice as long."""
    corpus = load(name, seed)
    short = learn("alibi", corpus, SHORT, seed)
    long = learn("sinusoidal", corpus, LONG, seed)
    metrics: Metrics = {}
    for label, model, trained in (("short", short, SHORT), ("long", long, LONG)):
        metrics |= prefixed(label, training(model))
        metrics |= prefixed(label, lengths(model, corpus, trained))
        plain = metrics[f"{label}_loss_{trained}"]
        metrics |= prefixed(label, sliding(model, corpus, trained, plain))
    for n in LENGTHS:
        metrics[f"gain_{n}"] = metrics[f"long_loss_{n}"] - metrics[f"short_loss_{n}"]
    metrics["gain_sliding"] = metrics["long_sliding"] - metrics["short_sliding"]
    return metrics


EXPERIMENTS: dict[str, Callable[[str, int], Metrics]] = {
    "extrapolate": extrapolate,
    "rotary": rotary,
    "trainshort": trainshort,
}
