"""How a width and a value of alpha are chosen from the labels."""

from __future__ import annotations

import numpy as np

from lgc.arrays import FloatArray, IntArray, Labelled, LeftOut


def spanning_tree_width(squares: FloatArray, labels: IntArray) -> float:
    size = len(squares)
    inside = np.zeros(size, dtype=bool)
    reach = np.full(size, np.inf)
    parent = np.zeros(size, dtype=int)
    reach[0] = 0.0
    edges: list[tuple[float, int, int]] = []
    for _ in range(size):
        new = int(np.argmin(np.where(inside, np.inf, reach)))
        inside[new] = True
        edges.append((float(reach[new]), int(parent[new]), new))
        closer = ~inside & (squares[new] < reach)
        reach[closer] = squares[new, closer]
        parent[closer] = new
    component = np.arange(size)
    tags = labels.copy()
    for square, first, second in sorted(edges[1:]):
        one, other = component[first], component[second]
        if min(tags[one], tags[other]) >= 0 and tags[one] != tags[other]:
            return float(np.sqrt(square) / 3.0)
        component[component == other] = one
        tags[one] = max(tags[one], tags[other])
    raise ValueError("all labels are of one class")


def leave_one_out(matrix: FloatArray, labelled: Labelled, alpha: float) -> LeftOut:
    points = labelled.points
    own = labelled.Y[points]
    units = np.zeros((len(matrix), len(points)))
    units[points, np.arange(len(points))] = 1.0
    solved = np.linalg.solve(np.eye(len(matrix)) - alpha * matrix, units)
    influence = (1.0 - alpha) * solved[points]
    itself = np.diag(influence)[:, None]
    scores = influence @ own - itself * own
    shares = scores / scores.sum(axis=1, keepdims=True)
    wrong = scores.argmax(axis=1) != own.argmax(axis=1)
    return LeftOut(
        error=float(wrong.mean()),
        brier=float(((shares - own) ** 2).sum(axis=1).mean()),
        influence=float(itself.mean()),
    )
