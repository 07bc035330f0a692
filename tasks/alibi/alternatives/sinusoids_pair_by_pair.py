"""alibi/positions.py::sinusoids: interleaved by stacking, in double precision."""

import numpy as np
import torch
from torch import Tensor


def sinusoids(length: int, width: int) -> Tensor:
    speeds = np.exp(-np.log(10000.0) * 2.0 * np.arange(width // 2) / width)
    angles = np.outer(np.arange(length), speeds)
    pairs = np.stack([np.sin(angles), np.cos(angles)], axis=2)
    return torch.as_tensor(pairs.reshape(length, width).astype(np.float32))
