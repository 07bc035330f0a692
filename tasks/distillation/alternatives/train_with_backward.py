"""distill/training.py::train: gradients by backward, a running learning rate."""

import numpy as np
import torch
from distill.arrays import Params


def train(
    params: Params, lesson: Lesson, batches: Tensor, schedule: Schedule, noise: Noise | None
) -> Trained:
    current = [(weights.clone(), bias.clone()) for weights, bias in params]
    speeds = [(0.0 * weights, 0.0 * bias) for weights, bias in params]
    rate, history = schedule.rate, []
    for step in range(len(batches)):
        index = batches[step]
        X = lesson.X.index_select(0, index)
        kept = None
        if noise is not None and noise.shifts is not None:
            X = jitter(X, noise.shifts[step], noise.side)
        if noise is not None:
            kept = tuple(layer[step] for layer in noise.kept)
        for layer in current:
            for part in layer:
                part.requires_grad_(True)
        outputs = forward(current, X, kept)
        losses = distillation_loss(
            outputs,
            lesson.soft.index_select(1, index),
            lesson.labels.index_select(0, index),
            lesson.temperatures,
            lesson.hard_weights,
        )
        losses.sum().backward()
        history.append(losses.detach())
        grads = [(weights.grad, bias.grad) for weights, bias in current]
        plain = [(weights.detach(), bias.detach()) for weights, bias in current]
        current, speeds = momentum_step(
            plain, grads, speeds, rate, schedule.momentum, schedule.limit
        )
        rate = rate * schedule.decay
    return Trained(current, np.array(torch.stack(history).cpu()))
