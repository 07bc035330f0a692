"""realnvp/preprocessing.py::prepare_images: slopes from the logistic function of y itself."""

import numpy as np
from realnvp.arrays import FloatArray


def prepare_images(
    pixels: FloatArray, levels: int, noise: FloatArray
) -> tuple[FloatArray, FloatArray]:
    shares = pixels / levels + noise / levels
    p = 0.05 * (1.0 - shares) + 0.95 * shares
    y = np.log(p / (1.0 - p))
    log_slopes = np.log(0.9) - np.log(levels) + np.logaddexp(0.0, y) + np.logaddexp(0.0, -y)
    return y, np.einsum("ichw->i", log_slopes)
