"""jme/data.py::split_ratings: a loop over the users."""

import numpy as np
from jme.config import Config


def split_ratings(
    users: np.ndarray, items: np.ndarray, ratings: np.ndarray, keys: np.ndarray, config: Config
) -> Dataset:
    train = np.zeros((users.max() + 1, items.max() + 1))
    relevant = np.zeros(train.shape, dtype=bool)
    for user in range(train.shape[0]):
        mine = np.flatnonzero(users == user)
        mine = mine[keys[mine].argsort()]
        held_out = int(config.test_fraction * len(mine))
        for rating in mine[:held_out]:
            relevant[user, items[rating]] = ratings[rating] >= config.relevant_from
        train[user, items[mine[held_out:]]] = ratings[mine[held_out:]]
    return Dataset(train=train, relevant=relevant)
