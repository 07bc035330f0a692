"""Types shared by the modules, and the way from numpy to the device that is used."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Shape = tuple[int, int, int]
"""Channels, height, width of one data point; a row of a table has height and width 1."""


def on_device(array: FloatArray) -> torch.Tensor:
    """The numbers as float64 on the default device."""
    return torch.as_tensor(array, dtype=torch.float64, device=torch.get_default_device())
