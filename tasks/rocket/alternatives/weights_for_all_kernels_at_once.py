"""rocket/kernels.py::sample_weights: all kernels at once, as a matrix with a mask."""

import numpy as np
from rocket.arrays import FloatArray, Noise


def sample_weights(noise: Noise, scheme: "Scheme") -> list[FloatArray]:
    longest = max(LENGTHS)
    lengths = np.array(LENGTHS)[np.floor(noise.uniforms[:, 0] * len(LENGTHS)).astype(int)]
    inside = np.arange(longest) < lengths[:, None]
    weights = np.where(inside, noise.normals[:, :longest], 0.0)
    if scheme.weights == "ternary":
        weights = (weights > TERNARY_CUT).astype(float) - (weights < -TERNARY_CUT)
    if scheme.centred:
        weights = weights - (weights.sum(axis=1) / lengths)[:, None]
    return [row[:length] for row, length in zip(weights, lengths, strict=True)]
