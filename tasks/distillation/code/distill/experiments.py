"""The experiments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from distill import draws
from distill.arrays import IntArray, Params, tensor
from distill.datasets import Split, load
from distill.evaluation import Report, dark_knowledge, judge
from distill.images import jitter
from distill.losses import matching_gap, soft_targets
from distill.network import KEEP, forward, initial_params
from distill.specialists import (
    Assignment,
    assign,
    collapse,
    combine,
    confusable_classes,
    specialist_start,
)
from distill.training import Lesson, Noise, Schedule, Trained, train
from distill.transfer import shift_bias

Metrics = dict[str, float]
FIELDS = ("nll", "accuracy", "margin", "brier", "spread")

TEACHERS = 3
TEACHER_HIDDEN = (80, 80)
TEACHER_BATCH = 64
TEACHER_STEPS = 400
MOVED = 0.25
TEACHER_SCHEDULE = Schedule(rate=0.2, decay=0.995, momentum=0.9, limit=2.0)

STUDENT = 100
STUDENT_HIDDEN = (20,)
STUDENT_BATCH = 128
STUDENT_STEPS = 300
STUDENT_SCHEDULE = Schedule(rate=0.1, decay=0.992, momentum=0.9, limit=torch.inf)
FEW = 6
GAP_TEMPERATURES = (1.0, 5.0, 20.0, 100.0)
DARK_TEMPERATURE = 2.0

LEFT_OUT = 3
KEPT_PAIR = (7, 8)

CLUSTERS = {"digits": 3, "leaves": 8}
CLUSTER_COUNTS = (2, 3, 4, 6)
CLUSTER_TEMPERATURE = 2.0
TOP = 2
GENERALIST_STEPS = 150
SPECIALIST_STEPS = 80
SPECIALIST_BATCH = 64
SPECIALIST_HARD_WEIGHT = 0.8
SPECIALIST_SCHEDULE = Schedule(rate=0.05, decay=0.98, momentum=0.9, limit=2.0)


@dataclass(frozen=True)
class Recipe:
    """What one student of a stack learns from: temperature, weight of the labels, mean."""

    name: str
    temperature: float
    hard_weight: float
    geometric: bool = False


def lesson_for(recipes: Sequence[Recipe], X: Tensor, labels: Tensor, teacher: Tensor) -> Lesson:
    """One lesson for a stack of students, from the logits of the teachers."""
    temperatures = tensor(np.array([recipe.temperature for recipe in recipes]))
    geometric = tensor(np.array([recipe.geometric for recipe in recipes]))
    soft = soft_targets(teacher, temperatures, geometric)
    weights = tensor(np.array([recipe.hard_weight for recipe in recipes]))
    return Lesson(X, labels, soft, temperatures, weights)


def hard_lesson(X: Tensor, labels: Tensor, models: int, classes: int) -> Lesson:
    """A lesson from the labels alone."""
    ones = tensor(np.ones(models))
    soft = tensor(np.full((models, len(X), classes), 1.0 / classes))
    return Lesson(X, labels, soft, ones, ones)


def dropout(seed: int, stage: int, shape: tuple[int, int, int]) -> list[Tensor]:
    """Which units of the large networks are kept, for every step, model and row of a batch."""
    return [
        tensor(draws.kept_units(seed, stage, layer, (*shape, units), KEEP))
        for layer, units in enumerate(TEACHER_HIDDEN)
    ]


def train_teachers(
    split: Split, seed: int, models: Sequence[int], steps: int = TEACHER_STEPS
) -> Trained:
    """An ensemble with dropout, and with jitter where the rows are images."""
    params = initial_params(seed, models, (split.X.shape[1], *TEACHER_HIDDEN, split.classes))
    kept = dropout(seed, 0, (steps, len(models), TEACHER_BATCH))
    shifts = tensor(draws.shifts(seed, 0, (steps, TEACHER_BATCH), MOVED)) if split.side else None
    batches = draws.batches(seed, 0, len(split.X), steps, TEACHER_BATCH)
    lesson = hard_lesson(split.X, split.y, len(models), split.classes)
    return train(params, lesson, tensor(batches), TEACHER_SCHEDULE, Noise(kept, shifts, split.side))


def train_students(lesson: Lesson, seed: int, stage: int, classes: int) -> Trained:
    """Small networks without noise, all from the same initial weights and on the same batches."""
    models = [STUDENT] * len(lesson.temperatures)
    params = initial_params(seed, models, (lesson.X.shape[1], *STUDENT_HIDDEN, classes))
    batches = draws.batches(seed, stage, len(lesson.X), STUDENT_STEPS, STUDENT_BATCH)
    return train(params, lesson, tensor(batches), STUDENT_SCHEDULE, None)


def report_metrics(names: Sequence[str], report: Report, fields: Sequence[str] = FIELDS) -> Metrics:
    return {
        f"{name}_{field}": float(getattr(report, field)[index])
        for field in fields
        for index, name in enumerate(names)
    }


def ensemble_logits(teacher: Tensor) -> Tensor:
    """Log probabilities of the averaged predictions, shape (1, rows, classes)."""
    return torch.log(torch.softmax(teacher, dim=-1).mean(dim=0, keepdim=True))


RECIPES = (
    Recipe("hard", 1.0, 1.0),
    Recipe("soft_1", 1.0, 0.0),
    Recipe("soft_2", 2.0, 0.0),
    Recipe("soft_5", 5.0, 0.0),
    Recipe("soft_20", 20.0, 0.0),
    Recipe("both_5", 5.0, 0.2),
    Recipe("geometric_5", 5.0, 0.0, geometric=True),
)
TRANSFER_RECIPES = tuple(r for r in RECIPES if r.name in ("hard", "soft_5", "both_5"))


def training_metrics(name: str, trained: Trained) -> Metrics:
    """Losses and weights, averaged over the stack."""
    norms = [torch.linalg.vector_norm(w, dim=1).mean() for w, _ in trained.params]
    return {
        f"{name}_first_loss": float(trained.losses[0].mean()),
        f"{name}_mean_loss": float(trained.losses.mean()),
        f"{name}_norm": float(torch.stack(norms).mean()),
    }


def prefixed(prefix: str, metrics: Metrics) -> Metrics:
    return {f"{prefix}_{name}": value for name, value in metrics.items()}


def student_metrics(recipes: Sequence[Recipe], trained: Trained) -> Metrics:
    drops = trained.losses[0] - trained.losses.mean(axis=0)
    return {f"{recipe.name}_drop": drops[index] for index, recipe in enumerate(recipes)}


def dark_metrics(
    recipes: Sequence[Recipe], logits: Tensor, teacher: Tensor, labels: Tensor
) -> Metrics:
    found = dark_knowledge(logits, teacher.mean(dim=0), labels, DARK_TEMPERATURE)
    return {
        f"{recipe.name}_dark_{name}": float(values[index])
        for name, values in zip(("distance", "entropy", "agreement"), found, strict=True)
        for index, recipe in enumerate(recipes)
    }


def compare(data: str, seed: int) -> Metrics:
    """Students of an ensemble: labels, soft targets by temperature, both."""
    split = load(data, seed)
    trained = train_teachers(split, seed, range(TEACHERS))
    on_test = forward(trained.params, split.X_test)
    metrics = training_metrics("teacher", trained)
    metrics |= report_metrics(["teacher"], judge(on_test[:1], split.y_test))
    metrics |= report_metrics(["ensemble"], judge(ensemble_logits(on_test), split.y_test))
    lesson = lesson_for(RECIPES, split.X, split.y, forward(trained.params, split.X))
    students = train_students(lesson, seed, 1, split.classes)
    logits = forward(students.params, split.X_test)
    names = [recipe.name for recipe in RECIPES]
    metrics |= report_metrics(names, judge(logits, split.y_test))
    metrics |= student_metrics(RECIPES, students)
    metrics |= dark_metrics(RECIPES, logits, on_test, split.y_test)
    if split.side:
        shifts = tensor(draws.shifts(seed, 1, (len(split.X_test),), 1.0))
        moved = jitter(split.X_test, shifts, split.side)
        scores = ensemble_logits(forward(trained.params, moved))
        metrics |= report_metrics(["moved_ensemble"], judge(scores, split.y_test))
        report = judge(forward(students.params, moved), split.y_test)
        metrics |= prefixed("moved", report_metrics(names, report))
    return metrics


def bias_metrics(
    names: Sequence[str], labels: Tensor, logits: Tensor, group: Tensor, unseen: Tensor
) -> Metrics:
    """Before and after the biases of the group are corrected; also on classes never seen."""
    shift, corrected = shift_bias(logits, labels, group)
    new = torch.isin(labels, unseen)
    metrics = {f"{name}_shift": float(shift[index]) for index, name in enumerate(names)}
    for when, scores in (("before", logits), ("after", corrected)):
        report = judge(scores, labels)
        metrics |= prefixed(when, report_metrics(names, report, ("nll", "accuracy", "brier")))
        report = judge(scores[:, new], labels[new])
        fields = ("nll", "accuracy") if when == "after" else ("nll",)
        metrics |= prefixed(f"unseen_{when}", report_metrics(names, report, fields))
    return metrics


def transfer(data: str, seed: int) -> Metrics:
    """Poor transfer sets: few rows, all classes but one, and two classes alone."""
    split = load(data, seed)
    trained = train_teachers(split, seed, range(TEACHERS))
    teacher, on_test = forward(trained.params, split.X), forward(trained.params, split.X_test)
    names = [recipe.name for recipe in TRANSFER_RECIPES]
    pair, left_out = tensor(np.array(KEPT_PAIR)), tensor(np.array([LEFT_OUT]))
    sets = {
        "few": torch.arange(len(split.y)) < FEW * split.classes,
        "without": ~torch.isin(split.y, left_out),
        "pair": torch.isin(split.y, pair),
    }
    metrics = training_metrics("teacher", trained)
    for stage, (part, rows) in enumerate(sets.items(), start=1):
        lesson = lesson_for(TRANSFER_RECIPES, split.X[rows], split.y[rows], teacher[:, rows])
        students = train_students(lesson, seed, stage, split.classes)
        logits = forward(students.params, split.X_test)
        found = student_metrics(TRANSFER_RECIPES, students)
        if part == "few":
            found |= report_metrics(names, judge(logits, split.y_test))
            found |= dark_metrics(TRANSFER_RECIPES, logits, on_test, split.y_test)
        else:
            group = left_out if part == "without" else pair
            seen = torch.isin(split.y_test, split.y[rows])
            found |= bias_metrics(names, split.y_test, logits, group, split.y_test[~seen].unique())
        gaps, lengths = matching_gap(logits[1], on_test[0], tensor(np.array(GAP_TEMPERATURES)))
        for index, temperature in enumerate(GAP_TEMPERATURES):
            found[f"gap_{temperature:g}"] = float(gaps[index])
            found[f"length_{temperature:g}"] = float(lengths[index])
        metrics |= prefixed(part, found)
    return metrics


def cluster_metrics(p: Tensor, labels: Tensor) -> Metrics:
    """By number of clusters: the probability of the label's cluster, and the largest cluster."""
    metrics: Metrics = {}
    for count in CLUSTER_COUNTS:
        home = torch.zeros(p.shape[1], dtype=torch.int64, device=p.device)
        clusters = confusable_classes(p, count)
        for number, own in enumerate(clusters):
            home[tensor(own)] = number
        together = home[labels][:, None] == home[None, :]
        metrics[f"clusters_{count}_mass"] = float((p * together).sum(dim=1).mean())
        metrics[f"clusters_{count}_largest"] = max(len(own) for own in clusters)
    return metrics


def train_specialist(
    split: Split, seed: int, number: int, generalist: Params, assignment: Assignment
) -> Trained:
    """Labels, and what the generalist thinks, on the rows that were assigned."""
    rows, members = tensor(assignment.rows), assignment.members
    believed = torch.softmax(forward(generalist, split.X[rows])[0], dim=-1)
    weight = tensor(np.array([SPECIALIST_HARD_WEIGHT]))
    lesson = Lesson(
        split.X[rows],
        tensor(assignment.labels),
        collapse(believed, members)[None],
        torch.ones_like(weight),
        weight,
    )
    stage, shape = 10 + number, (SPECIALIST_STEPS, 1, SPECIALIST_BATCH)
    batches = draws.batches(seed, stage, len(rows), SPECIALIST_STEPS, SPECIALIST_BATCH)
    noise = Noise(dropout(seed, stage, shape), None, 0)
    start = specialist_start(generalist, members)
    return train(start, lesson, tensor(batches), SPECIALIST_SCHEDULE, noise)


def special_nll(p: Tensor, labels: Tensor, members: IntArray) -> Tensor:
    """Mean cross entropy on the rows of the members, of collapsed probabilities."""
    index = tensor(members)
    special = torch.isin(labels, index)
    position = torch.searchsorted(index, labels[special])
    return judge(p[special].log()[None], position).nll[0]


def specialists(data: str, seed: int) -> Metrics:
    """A generalist, specialists for classes that it confuses, and their common prediction."""
    split = load(data, seed)
    trained = train_teachers(split, seed, [0], GENERALIST_STEPS)
    generalist, labels = trained.params, split.y.cpu().numpy()
    tempered = torch.softmax(forward(generalist, split.X)[0] / CLUSTER_TEMPERATURE, dim=-1)
    on_test = torch.softmax(forward(generalist, split.X_test)[0], dim=-1)
    clusters = [own for own in confusable_classes(tempered, CLUSTERS[data]) if len(own) > 1]
    metrics = training_metrics("generalist", trained) | cluster_metrics(tempered, split.y)
    assignments, logits = [], []
    for number, own in enumerate(clusters):
        assignment = assign(labels, own, draws.outsiders(seed, number, len(labels)))
        found = train_specialist(split, seed, number, generalist, assignment)
        assignments.append(assignment)
        logits.append(forward(found.params, split.X_test)[0])
        metrics[f"specialist_{number}_first_loss"] = float(found.losses[0, 0])
        metrics[f"specialist_{number}_mean_loss"] = float(found.losses.mean())
        metrics[f"specialist_{number}_oversampling"] = assignment.oversampling
    together = combine(on_test, logits, assignments, TOP)
    q = together.q
    metrics |= report_metrics(["generalist"], judge(on_test.log()[None], split.y_test))
    metrics |= report_metrics(["combined"], judge(q.log()[None], split.y_test))
    pairs = list(zip(together.predictions, clusters, strict=True))
    before = [special_nll(collapse(on_test, own), split.y_test, own) for _, own in pairs]
    after = [special_nll(p, split.y_test, own) for p, own in pairs]
    return metrics | {
        "special_generalist_nll": float(torch.stack(before).mean()),
        "special_specialist_nll": float(torch.stack(after).mean()),
        "dustbin": float(torch.stack([p[:, -1].mean() for p, _ in pairs]).mean()),
        "active": float(together.active.sum(dim=1).to(q.dtype).mean()),
        "distance": float((q * (q.log() - on_test.log())).sum(dim=1).mean()),
    }


EXPERIMENTS: dict[str, Callable[[str, int], Metrics]] = {
    "compare": compare,
    "transfer": transfer,
    "specialists": specialists,
}
