"""Multinomial logistic regression by stochastic gradient descent, for larger data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rocket.arrays import FloatArray, IntArray, Linear

BETA1 = 0.9
BETA2 = 0.999
EPSILON = 1e-8


@dataclass(frozen=True)
class Schedule:
    """First learning rate, and how many epochs without a better loss halve it."""

    rate: float
    patience: int


@dataclass(frozen=True)
class LogisticFit:
    """The classifier of the best epoch, and what was seen on the way.

    ``validation`` holds the validation loss after every epoch, ``norms`` the Euclidean norm of
    the gradient (weights and intercept together) averaged over the batches of the epoch, and
    ``rate`` is the learning rate at the end.
    """

    model: Linear
    validation: FloatArray
    norms: FloatArray
    rate: float


def softmax_loss(model: Linear, features: FloatArray, labels: IntArray) -> tuple[float, Linear]:
    rows = len(features)
    scores = model(features)
    shifted = scores - scores.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    totals = exponentials.sum(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(totals)
    loss = -float(log_probabilities[np.arange(rows), labels].mean())
    delta = exponentials / totals
    delta[np.arange(rows), labels] -= 1.0
    delta /= rows
    return loss, Linear(features.T @ delta, delta.sum(axis=0))


def fit_logistic(
    train: tuple[FloatArray, IntArray],
    validation: tuple[FloatArray, IntArray],
    start: Linear,
    batches: Sequence[Sequence[IntArray]],
    schedule: Schedule,
) -> LogisticFit:
    params = [start.weights, start.intercept]
    first = [np.zeros_like(array) for array in params]
    second = [np.zeros_like(array) for array in params]
    best, best_loss, waited = start, np.inf, 0
    rate, step = schedule.rate, 0
    losses, norms = [], []
    for epoch in batches:
        seen = []
        for rows in epoch:
            step += 1
            _, slope = softmax_loss(Linear(*params), train[0][rows], train[1][rows])
            grads = [slope.weights, slope.intercept]
            seen.append(np.sqrt(sum((grad**2).sum() for grad in grads)))
            for index, grad in enumerate(grads):
                first[index] = BETA1 * first[index] + (1.0 - BETA1) * grad
                second[index] = BETA2 * second[index] + (1.0 - BETA2) * grad**2
                size = np.sqrt(second[index] / (1.0 - BETA2**step)) + EPSILON
                params[index] = params[index] - rate * first[index] / (1.0 - BETA1**step) / size
        loss, _ = softmax_loss(Linear(*params), *validation)
        losses.append(loss)
        norms.append(np.mean(seen))
        if loss < best_loss:
            best, best_loss, waited = Linear(*params), loss, 0
        else:
            waited += 1
            if waited == schedule.patience:
                rate, waited = rate / 2.0, 0
    return LogisticFit(best, np.array(losses), np.array(norms), rate)
