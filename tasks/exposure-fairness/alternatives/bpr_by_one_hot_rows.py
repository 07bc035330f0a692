"""jme/models.py::bpr_step: sums over the batch by matrix products with one-hot rows."""

import numpy as np
from jme.config import Config


def bpr_step(
    user_factors: np.ndarray, item_factors: np.ndarray, triples: np.ndarray, config: Config
) -> tuple[np.ndarray, np.ndarray]:
    users, liked, other = triples[:, 0], triples[:, 1], triples[:, 2]
    x, up, down = user_factors[users], item_factors[liked], item_factors[other]
    pull = 0.5 - 0.5 * np.tanh(0.5 * np.einsum("nf,nf->n", x, up - down))[:, None]
    for_users = (users == np.arange(len(user_factors))[:, None]).astype(float)
    for_liked = (liked == np.arange(len(item_factors))[:, None]).astype(float)
    for_other = (other == np.arange(len(item_factors))[:, None]).astype(float)
    users_up = for_users @ (pull * (up - down) - config.bpr_lambda * x)
    items_up = for_liked @ (pull * x - config.bpr_lambda * up)
    items_down = for_other @ (pull * x + config.bpr_lambda * down)
    return (
        user_factors + config.bpr_rate * users_up,
        item_factors + config.bpr_rate * (items_up - items_down),
    )
