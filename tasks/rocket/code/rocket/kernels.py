"""Random kernels, from random numbers that are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rocket.arrays import FloatArray, IntArray, Kernel, Noise

LENGTHS = (7, 9, 11)
TERNARY_CUT = 0.43
LENGTH, BIAS, DILATION, PADDING = range(4)


@dataclass(frozen=True)
class Scheme:
    """How kernels are drawn; the defaults are ROCKET's.

    ``weights`` is normal or ternary, ``centred`` says whether their mean is removed, ``bias``
    is uniform, normal or zero, ``dilation`` is exponential, uniform or none, ``padding`` is
    random, always or never.
    """

    weights: str = "normal"
    centred: bool = True
    bias: str = "uniform"
    dilation: str = "exponential"
    padding: str = "random"


def sample_weights(noise: Noise, scheme: Scheme) -> list[FloatArray]:
    chosen = []
    for normals, uniform in zip(noise.normals, noise.uniforms[:, LENGTH], strict=True):
        length = LENGTHS[int(uniform * len(LENGTHS))]
        weights = normals[:length]
        if scheme.weights == "ternary":
            weights = np.sign(weights) * (np.abs(weights) > TERNARY_CUT)
        if scheme.centred:
            weights = weights - weights.mean()
        chosen.append(weights)
    return chosen


def sample_geometry(
    lengths: Sequence[int], uniforms: FloatArray, points: int, scheme: Scheme
) -> tuple[IntArray, IntArray]:
    dilations = np.ones(len(lengths), dtype=np.int64)
    paddings = np.zeros(len(lengths), dtype=np.int64)
    for index, (length, row) in enumerate(zip(lengths, uniforms, strict=True)):
        largest = (points - 1) / (length - 1)
        if scheme.dilation == "exponential":
            dilations[index] = int(2.0 ** (row[DILATION] * np.log2(largest)))
        elif scheme.dilation == "uniform":
            dilations[index] = 1 + int(row[DILATION] * int(largest))
        padded = scheme.padding == "always"
        if scheme.padding == "random":
            padded = row[PADDING] < 0.5
        if padded:
            paddings[index] = (length - 1) * dilations[index] // 2
    return dilations, paddings


def sample_kernels(noise: Noise, points: int, scheme: Scheme) -> list[Kernel]:
    all_weights = sample_weights(noise, scheme)
    lengths = [len(weights) for weights in all_weights]
    dilations, paddings = sample_geometry(lengths, noise.uniforms, points, scheme)
    if scheme.bias == "uniform":
        biases = 2.0 * noise.uniforms[:, BIAS] - 1.0
    elif scheme.bias == "normal":
        biases = noise.normals[:, -1]
    else:
        biases = np.zeros(len(lengths))
    return [
        Kernel(weights, float(bias), int(dilation), int(padding))
        for weights, bias, dilation, padding in zip(
            all_weights, biases, dilations, paddings, strict=True
        )
    ]
