"""distill/network.py::forward: einsum, and dropout by a filled mask before the ReLU."""

from collections.abc import Sequence

import torch
from distill.arrays import Params
from torch import Tensor


def forward(params: Params, X: Tensor, kept: Sequence[Tensor] | None = None) -> Tensor:
    layout = "rf,mfu->mru" if X.ndim == 2 else "mrf,mfu->mru"
    signal = X
    for number, (weights, bias) in enumerate(params):
        signal = torch.einsum(layout, signal, weights) + bias
        layout = "mrf,mfu->mru"
        if number + 1 < len(params):
            if kept is not None:
                signal = signal.masked_fill(~kept[number].bool(), 0.0)
                signal = signal * (1.0 / KEEP)
            signal = signal.clamp_min(0.0)
    return signal
