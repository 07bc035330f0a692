"""Types that the modules share."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Params = dict[str, Tensor]
Method = Literal["alibi", "sinusoidal", "rotary", "none"]
