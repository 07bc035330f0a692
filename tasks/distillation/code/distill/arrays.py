"""Types shared by the modules."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

Layer = tuple[Tensor, Tensor]
Params = list[Layer]
"""A stack of networks of the same shape that share nothing.

One pair (weights, bias) per layer, weights of shape (models, inputs, outputs), bias of shape
(models, 1, outputs).
"""


def tensor(array: NDArray[np.generic]) -> Tensor:
    """The array as a tensor of the same type on the device of the run."""
    return torch.as_tensor(array, device=torch.get_default_device())
