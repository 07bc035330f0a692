"""rocket/evaluation.py::judge: from the sorted scores of each row."""

import numpy as np
from rocket.arrays import FloatArray, IntArray


def judge(scores: FloatArray, labels: IntArray) -> "Judgement":
    wrong, margins, ranks = [], [], []
    for row, label in zip(scores, labels, strict=True):
        ordered = np.sort(np.delete(row, label))
        margins.append(row[label] - ordered[-1])
        ranks.append(len(row) - np.searchsorted(ordered, row[label], side="right"))
        wrong.append(int(np.argmax(row)) != label)
    values = np.sort(np.array(margins))
    place = 0.1 * (len(values) - 1)
    low = int(place)
    decile = values[low] + (place - low) * (values[low + 1] - values[low])
    mean = float(values.sum() / len(values))
    spread = float(np.sqrt(np.mean(values**2) - mean**2))
    return Judgement(
        float(np.mean(wrong)), mean, float(decile), mean / spread, float(np.mean(ranks))
    )
