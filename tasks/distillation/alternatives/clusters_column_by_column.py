"""distill/specialists.py::confusable_classes: the library's correlations, and loops."""

import numpy as np
from distill.arrays import IntArray
from torch import Tensor


def confusable_classes(probabilities: Tensor, count: int) -> list[IntArray]:
    table = probabilities.cpu().numpy()
    points = np.corrcoef(table, rowvar=False)
    centres = [points[int(table.var(axis=0).argmax())]]
    for _ in range(count - 1):
        gaps = [min(np.linalg.norm(point - centre) for centre in centres) for point in points]
        centres.append(points[int(np.argmax(gaps))])
    clusters = [[] for _ in centres]
    for number, point in enumerate(points):
        gaps = [np.linalg.norm(point - centre) for centre in centres]
        clusters[int(np.argmin(gaps))].append(number)
    return [np.array(cluster) for cluster in clusters]
