"""kshap/values.py::sampling_values: all steps of all samples in one call of the model."""

import numpy as np
from kshap.arrays import FloatArray, IntArray, Model


def sampling_values(
    model: Model, x: FloatArray, background: FloatArray, orders: IntArray, rows: IntArray
) -> tuple[FloatArray, FloatArray]:
    count, features = orders.shape
    place = np.argsort(orders, axis=1)
    entered = place[:, None, :] < np.arange(features + 1)[None, :, None]
    mixed = np.where(entered, x, background[rows][:, None, :])
    outputs = model(mixed.reshape(-1, features)).reshape(count, features + 1)
    gains = np.take_along_axis(np.diff(outputs, axis=1), place, axis=1)
    mean = gains.sum(axis=0) / count
    variance = ((gains - mean) ** 2).sum(axis=0) / (count - 1)
    return mean, np.sqrt(variance / count)
