"""Series of one length from recordings of many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rocket.arrays import FloatArray


def cut_windows(
    recordings: Sequence[FloatArray], starts: FloatArray, points: int, step: int
) -> FloatArray:
    span = points * step
    cut = []
    for samples, fractions in zip(recordings, starts, strict=True):
        room = len(samples) - span + 1
        for fraction in fractions:
            first = int(fraction * room)
            window = samples[first : first + span]
            cut.append(window.reshape(points, step).mean(axis=1))
    series: FloatArray = np.array(cut)
    centred = series - series.mean(axis=1, keepdims=True)
    spread: FloatArray = np.sqrt((centred**2).mean(axis=1, keepdims=True))
    return centred / spread
