"""orf/frequencies.py::halton_frequencies: exact integers, the standard library's normal."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from orf.arrays import FloatArray


def halton_frequencies(count: int, bases: Sequence[int], shift: FloatArray) -> FloatArray:
    def radical_inverse(index: int, base: int) -> float:
        mirrored, denominator = 0, 1
        while index:
            index, digit = divmod(index, base)
            mirrored = mirrored * base + digit
            denominator *= base
        return mirrored / denominator

    normal = NormalDist()
    frequencies = np.empty((count, len(bases)))
    for row in range(count):
        for column, base in enumerate(bases):
            point = radical_inverse(LEAP * (row + 1), base) + shift[column]
            frequencies[row, column] = normal.inv_cdf(point - np.floor(point))
    return frequencies
