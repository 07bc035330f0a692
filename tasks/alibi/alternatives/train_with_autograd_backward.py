"""alibi/training.py::train: gradients by backward, windows gathered step by step in numpy."""

import numpy as np
import torch
from alibi.arrays import FloatArray, IntArray, Params
from alibi.network import Architecture


def train(
    params: Params,
    architecture: Architecture,
    tokens: IntArray,
    starts: IntArray,
    schedule: Schedule,
) -> LanguageModel:
    record: dict[str, list[float]] = {"losses": [], "norms": [], "clipped": [], "moves": []}
    current, state = params, Moments.start(params)
    for step, row in enumerate(starts):
        windows = np.array([tokens[first : first + schedule.length + 1] for first in row])
        copies = {name: weights.clone().requires_grad_(True) for name, weights in current.items()}
        loss = window_loss(copies, architecture, torch.as_tensor(windows))
        loss.backward()
        grads, before = clip_gradients(
            {name: copy.grad for name, copy in copies.items()}, schedule.limit
        )
        after, state = adam_step(current, grads, state, learning_rate(step, schedule))
        squares = [((after[name] - current[name]) ** 2).sum().item() for name in current]
        record["losses"].append(loss.item())
        record["norms"].append(before)
        record["clipped"].append(min(before, schedule.limit))
        record["moves"].append(sum(squares) ** 0.5)
        current = after
    found: dict[str, FloatArray] = {name: np.array(values) for name, values in record.items()}
    return LanguageModel(architecture, current, **found)
