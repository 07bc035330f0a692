"""rocket/logistic.py::softmax_loss: the log of the sum by logaddexp, and an indicator matrix."""

import numpy as np
from rocket.arrays import FloatArray, IntArray, Linear


def softmax_loss(model: Linear, features: FloatArray, labels: IntArray) -> tuple[float, Linear]:
    scores = model(features)
    logs = scores - np.logaddexp.reduce(scores, axis=1)[:, None]
    indicator = np.eye(scores.shape[1])[labels]
    loss = -(logs * indicator).sum() / len(labels)
    slope = (np.exp(logs) - indicator) / len(labels)
    return float(loss), Linear(np.einsum("ij,ik->jk", features, slope), np.ones(len(slope)) @ slope)
