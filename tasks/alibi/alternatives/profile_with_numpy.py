"""alibi/evaluation.py::attention_profile: all layers at once in numpy."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor


def attention_profile(attention: Sequence[Tensor], reach: int) -> Profile:
    weights = np.stack([layer.cpu().numpy() for layer in attention]).astype(np.float64)
    length = weights.shape[-1]
    half = length // 2
    distance = np.subtract.outer(np.arange(half, length), np.arange(length))
    late = weights[..., half:, :]
    logs = np.log(late, out=np.zeros_like(late), where=late > 0)
    means = [
        np.einsum("lwhqk,qk->lh", late, distance),
        -np.einsum("lwhqk,lwhqk->lh", late, logs),
        np.einsum("lwhqk,qk->lh", late, (distance >= reach).astype(np.float64)),
    ]
    return Profile(*(mean / (late.shape[1] * late.shape[3]) for mean in means))
