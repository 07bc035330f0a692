"""alibi/corpus.py::split_windows: all windows by one index matrix."""

import numpy as np
from alibi.arrays import IntArray


def split_windows(tokens: IntArray, length: int, stride: int) -> tuple[IntArray, IntArray]:
    starts = np.arange(0, len(tokens) - length, stride)
    if not starts.size:
        raise ValueError("no window fits")
    stale = np.where(starts > 0, length - stride, 0)
    return tokens[starts[:, None] + np.arange(length + 1)], stale.astype(np.int64)
