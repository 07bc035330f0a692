"""jme/quality.py::ranking_quality: loops over users, looks at the relevant items only."""

import numpy as np


def ranking_quality(ranks: np.ndarray, relevant: np.ndarray, cutoff: int) -> Quality:
    ndcg, recall, mrr = [], [], []
    for user in np.flatnonzero(relevant.sum(axis=1)):
        places = np.sort(ranks[:, user, relevant[user]], axis=1)
        fit = min(places.shape[1], cutoff)
        best = sum(1.0 / np.log2(1.0 + place) for place in range(1, fit + 1))
        gained = np.where(places <= cutoff, 1.0 / np.log2(places + 1.0), 0.0)
        ndcg.append(gained.sum(axis=1).mean() / best)
        recall.append((places <= cutoff).sum(axis=1).mean() / fit)
        mrr.append((1.0 / places[:, 0]).mean())
    return Quality(float(np.mean(ndcg)), float(np.mean(recall)), float(np.mean(mrr)))
