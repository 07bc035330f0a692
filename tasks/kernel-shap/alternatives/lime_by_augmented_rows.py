"""kshap/regression.py::lime: the ridge penalty as additional rows of a least-squares problem."""

import numpy as np
from kshap.arrays import Explanation, FloatArray, Masks


def lime(masks: Masks, values: FloatArray, width: float, ridge: float) -> Explanation:
    z = masks.astype(float)
    features = z.shape[1]
    norms = np.linalg.norm(z, axis=1) * np.sqrt(features)
    cosine = np.divide(z.sum(axis=1), norms, out=np.zeros(len(z)), where=norms > 0)
    root = np.exp(-((1.0 - cosine) ** 2) / (2 * width**2))
    rows = root[:, None] * np.column_stack([np.ones(len(z)), z])
    extra = np.sqrt(ridge) * np.eye(features + 1)[1:]
    solution = np.linalg.lstsq(
        np.vstack([rows, extra]), np.append(root * values, np.zeros(features)), rcond=None
    )[0]
    return Explanation(float(solution[0]), solution[1:])
