"""jme/data.py::k_core: removes short users and items in turn, with counts by np.unique."""

import numpy as np


def k_core(users: np.ndarray, items: np.ndarray, min_user: int, min_item: int) -> np.ndarray:
    left = np.arange(len(users))
    while True:
        before = len(left)
        for ids, least in ((items, min_item), (users, min_user)):
            _, inverse, counts = np.unique(ids[left], return_inverse=True, return_counts=True)
            left = left[counts[inverse] >= least]
        if len(left) == before:
            return np.isin(np.arange(len(users)), left)
