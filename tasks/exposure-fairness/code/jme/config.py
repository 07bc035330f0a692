"""Hyperparameters of the experiments."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """One set of hyperparameters; the names follow the paper's text."""

    min_item_ratings: int = 50
    min_user_ratings: int = 20
    test_fraction: float = 0.4
    relevant_from: float = 4.0

    n_groups: int = 3

    knn_neighbours: int = 40
    knn_shrinkage: float = 10.0
    n_factors: int = 16
    bpr_rate: float = 0.1
    bpr_lambda: float = 0.05
    bpr_steps: int = 400
    bpr_batch: int = 1000
    als_alpha: float = 1.0
    als_lambda: float = 20.0
    als_iterations: int = 8

    gamma: float = 0.8
    n_samples: int = 10
    temperature: float = 0.5
    temperatures: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0, 2.0)
    cutoff: int = 10

    pool_size: int = 40
    tau: float = 0.1
    train_samples: int = 3
    train_steps: int = 12
    learning_rate: float = 0.1
    momentum: float = 0.5
    alphas: tuple[float, ...] = (0.0, 0.5, 0.9)
