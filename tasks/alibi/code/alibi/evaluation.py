"""How well a model predicts text, and where it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from alibi.arrays import FloatArray, IntArray
from alibi.corpus import split_windows
from alibi.network import forward
from alibi.training import LanguageModel

SHOWN = 16


@dataclass(frozen=True)
class Evaluation:
    """Losses of a model on a text, in nats per character.

    ``loss`` is the mean over the predictions that count, ``curve`` the mean over all windows for
    every position in the window, and ``attention`` holds the attention weights in the first
    windows, one tensor (windows, heads, length, length) per layer.
    """

    loss: float
    curve: FloatArray
    attention: list[Tensor]


@dataclass(frozen=True)
class Profile:
    """Where the heads look: arrays of shape (layers, heads)."""

    distance: FloatArray
    entropy: FloatArray
    far: FloatArray


def evaluate(model: LanguageModel, tokens: IntArray, length: int, stride: int) -> Evaluation:
    arrays, stale = split_windows(tokens, length, stride)
    windows = torch.as_tensor(arrays)
    inputs, targets = windows[:, :-1], windows[:, 1:]
    with torch.no_grad():
        logits, attention = forward(model.params, model.architecture, inputs)
        logs = torch.log_softmax(logits, dim=-1)
        losses = -logs.gather(-1, targets[..., None])[..., 0]
    table = losses.cpu().numpy().astype(np.float64)
    counted = np.arange(length)[None, :] >= stale[:, None]
    loss = float(table[counted].mean())
    curve = table.mean(axis=0)
    shown = [weights[:SHOWN] for weights in attention]
    return Evaluation(loss, curve, shown)


def attention_profile(attention: Sequence[Tensor], reach: int) -> Profile:
    distances, entropies, far = [], [], []
    for weights in attention:
        length = weights.shape[-1]
        late = weights[:, :, length // 2 :].to(torch.float64)
        positions = torch.arange(length)
        distance = positions[length // 2 :, None] - positions[None, :]
        terms = late * torch.log(torch.clamp(late, min=1e-30))
        distances.append((late * distance).sum(dim=-1).mean(dim=(0, 2)))
        entropies.append(-terms.sum(dim=-1).mean(dim=(0, 2)))
        far.append((late * (distance >= reach)).sum(dim=-1).mean(dim=(0, 2)))
    stacked = (torch.stack(rows).cpu().numpy() for rows in (distances, entropies, far))
    return Profile(*stacked)
