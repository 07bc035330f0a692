"""rocket/features.py::convolve: gathers the values under the kernel, then one matrix product."""

import numpy as np
from rocket.arrays import FloatArray, Kernel


def convolve(series: FloatArray, kernel: Kernel) -> FloatArray:
    padded = np.pad(series, ((0, 0), (kernel.padding, kernel.padding)))
    offsets = kernel.dilation * np.arange(len(kernel.weights))
    starts = np.arange(padded.shape[1] - offsets[-1])
    return padded[:, starts[:, None] + offsets] @ kernel.weights + kernel.bias
