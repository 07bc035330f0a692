"""lgc/regularisation.py::cost: the smoothness as a trace with the normalised Laplacian."""

import numpy as np
from lgc.arrays import Cost, FloatArray


def cost(W: FloatArray, F: FloatArray, Y: FloatArray, mu: float) -> Cost:
    inverse = W.sum(axis=0) ** -0.5
    laplacian = np.eye(len(W)) - inverse[:, None] * W * inverse[None, :]
    LF = laplacian @ F
    smoothness = float(np.trace(F.T @ LF))
    fitting = float(np.linalg.norm(F - Y) ** 2)
    slope = float(np.linalg.norm(LF + mu * (F - Y)))
    return Cost((smoothness + mu * fitting) / 2.0, smoothness, fitting, slope)
