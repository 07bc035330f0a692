"""alibi/evaluation.py::evaluate: in small batches, losses by the library's cross-entropy."""

import numpy as np
import torch
from alibi.arrays import IntArray
from alibi.corpus import split_windows
from alibi.network import forward
from alibi.training import LanguageModel


def evaluate(model: LanguageModel, tokens: IntArray, length: int, stride: int) -> Evaluation:
    windows, stale = split_windows(tokens, length, stride)
    rows, attention = [], []
    with torch.no_grad():
        for first in range(0, len(windows), 16):
            batch = torch.as_tensor(windows[first : first + 16])
            logits, weights = forward(model.params, model.architecture, batch[:, :length])
            found = torch.nn.functional.cross_entropy(
                logits.transpose(1, 2), batch[:, 1:], reduction="none"
            )
            rows.append(found.double().cpu().numpy())
            if first == 0:
                attention = weights
    losses = np.concatenate(rows)
    parts = [row[skip:] for row, skip in zip(losses, stale, strict=True)]
    total = sum(part.sum() for part in parts) / sum(len(part) for part in parts)
    return Evaluation(float(total), losses.mean(axis=0), attention)
