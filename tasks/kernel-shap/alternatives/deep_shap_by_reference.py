"""kshap/closed_form.py::deep_shap: one background row at a time, with a matrix per layer."""

import numpy as np
from kshap.arrays import Explanation, FloatArray
from kshap.models import Network


def deep_shap(network: Network, x: FloatArray, background: FloatArray) -> Explanation:
    phis = []
    for reference in background:
        chain = np.eye(len(x))
        a, b = x, reference
        for weights, bias in network.layers[:-1]:
            u, v = a @ weights + bias, b @ weights + bias
            a, b = u.clip(min=0.0), v.clip(min=0.0)
            slope = np.array(
                [
                    (p - q) / (s - t) if abs(s - t) >= 1e-9 else float(s > 0)
                    for p, q, s, t in zip(a, b, u, v, strict=True)
                ]
            )
            chain = chain @ weights * slope
        output = chain @ network.layers[-1][0]
        phis.append(output[:, 0] * (x - reference))
    return Explanation(float(network(background).mean()), np.mean(phis, axis=0))
