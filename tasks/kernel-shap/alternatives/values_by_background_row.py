"""kshap/values.py::coalition_values: adds up one background row after another."""

import numpy as np
from kshap.arrays import FloatArray, Masks, Model


def coalition_values(
    model: Model, x: FloatArray, background: FloatArray, masks: Masks
) -> FloatArray:
    total = np.zeros(len(masks))
    for reference in background:
        for start in range(0, len(masks), 256):
            part = masks[start : start + 256].astype(float)
            total[start : start + 256] += model(part * x + (1.0 - part) * reference)
    return total / len(background)
