"""offpolicy/trees.py::Tree.choose: walks down from the final, row by row."""

import numpy as np
from offpolicy.arrays import FloatArray, IntArray


def choose(self, X: FloatArray) -> IntArray:
    pairs = bracket(self.k)
    chosen = []
    for x in X:
        node = self.k + len(pairs) - 1
        while node >= self.k:
            left, right = pairs[node - self.k]
            beta = self.coefficients[node - self.k]
            node = left if beta[0] + beta[1:] @ x > 0.0 else right
        chosen.append(node)
    return np.array(chosen, dtype=np.int64)
