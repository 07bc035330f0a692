"""rocket/logistic.py::fit_logistic: one flat array of parameters, one corrected learning rate."""

from collections.abc import Sequence

import numpy as np
from rocket.arrays import FloatArray, IntArray, Linear


def fit_logistic(
    train: tuple[FloatArray, IntArray],
    validation: tuple[FloatArray, IntArray],
    start: Linear,
    batches: Sequence[Sequence[IntArray]],
    schedule: "Schedule",
) -> "LogisticFit":
    shape = start.weights.shape

    def unpack(flat: FloatArray) -> Linear:
        return Linear(flat[: -shape[1]].reshape(shape), flat[-shape[1] :])

    def pack(model: Linear) -> FloatArray:
        return np.concatenate([model.weights.ravel(), model.intercept])

    theta = pack(start)
    mean, square = np.zeros(len(theta)), np.zeros(len(theta))
    rate, t, since = schedule.rate, 0, 0
    history, slopes, kept = [], [], []
    for epoch in batches:
        total = 0.0
        for batch in epoch:
            g = pack(softmax_loss(unpack(theta), train[0][batch], train[1][batch])[1])
            total += float(np.linalg.norm(g))
            t += 1
            mean += 0.1 * (g - mean)
            square += 0.001 * (g * g - square)
            root = np.sqrt(1.0 - 0.999**t)
            theta = theta - rate * root / (1.0 - 0.9**t) * mean / (np.sqrt(square) + 1e-8 * root)
        slopes.append(total / len(epoch))
        loss = softmax_loss(unpack(theta), *validation)[0]
        since = 0 if loss < min(history, default=np.inf) else since + 1
        history.append(loss)
        kept.append(theta)
        if since == schedule.patience:
            rate, since = 0.5 * rate, 0
    best = unpack(kept[int(np.argmin(history))])
    return LogisticFit(best, np.array(history), np.array(slopes), rate)
