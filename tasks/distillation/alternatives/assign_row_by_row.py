"""distill/specialists.py::assign: row by row, with a table from class to output."""

import numpy as np
from distill.arrays import IntArray


def assign(labels: IntArray, members: IntArray, order: IntArray) -> Assignment:
    output = {int(member): position for position, member in enumerate(members)}
    own = [row for row, label in enumerate(labels) if int(label) in output]
    others = []
    for row in order:
        if len(others) < len(own) and int(labels[row]) not in output:
            others.append(int(row))
    rows = np.array(own + others)
    targets = np.array([output.get(int(labels[row]), len(output)) for row in rows])
    factor = (len(labels) - len(own)) / len(others)
    return Assignment(members, rows, targets, factor)
