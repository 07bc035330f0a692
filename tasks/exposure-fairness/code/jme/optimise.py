"""Optimising a stochastic policy for fairness, through smooth ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jme.config import Config
from jme.measures import Groups, aggregate
from jme.policy import target_exposure


@dataclass(frozen=True)
class Training:
    """What came out of a training run.

    Attributes:
        offsets: Score offset per user group and item group.
        losses: Loss before every step.
        norms: Euclidean norm of the gradient at every step.
    """

    offsets: np.ndarray
    losses: list[float]
    norms: list[float]


def top_pool(scores: np.ndarray, pool_size: int) -> np.ndarray:
    """Indices of each user's best items, best first."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :pool_size]


def restrict_to_pool(scores: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """The scores, with every item outside of the pool unrankable."""
    restricted = np.full_like(scores, -np.inf)
    np.put_along_axis(restricted, pool, np.take_along_axis(scores, pool, axis=1), axis=1)
    return restricted


def smooth_preferences(perturbed: np.ndarray, tau: float) -> np.ndarray:
    """How far item ``k`` stands above item ``j``, from 0 to 1, as users x j x k."""
    margin = (perturbed[:, None, :] - perturbed[:, :, None]) / tau
    above = 0.5 * (1.0 + np.tanh(0.5 * margin))
    diagonal = np.arange(perturbed.shape[1])
    above[:, diagonal, diagonal] = 0.0
    return above


def score_gradient(
    above: np.ndarray, exposure_gradient: np.ndarray, gamma: float, tau: float
) -> np.ndarray:
    """Gradient with respect to the perturbed scores, from that with respect to exposure."""
    exposure = gamma ** above.sum(axis=2)
    rank_gradient = np.log(gamma) * exposure * exposure_gradient
    slope = above * (1.0 - above) / tau
    lowered = rank_gradient * slope.sum(axis=2)
    raised = np.matmul(rank_gradient[:, None, :], slope)[:, 0, :]
    return raised - lowered


def loss_gradient(
    gap: np.ndarray, alpha: float, scales: tuple[float, float], groups: Groups
) -> np.ndarray:
    """Gradient of the mixed loss with respect to the system exposure."""
    of_ii = 2.0 * gap / gap.size
    blocks = aggregate(gap, "gg", groups)
    sizes = np.outer(np.bincount(groups.users), np.bincount(groups.items))
    per_entry = 2.0 * blocks / (blocks.size * sizes)
    of_gg = per_entry[groups.users][:, groups.items]
    return (1.0 - alpha) * of_ii / scales[0] + alpha * of_gg / scales[1]


class PolicyTrainer:
    """Gradient descent on the score offsets of a policy that re-ranks a pool."""

    def __init__(self, scores: np.ndarray, relevant: np.ndarray, groups: Groups, config: Config):
        self.groups = groups
        self.config = config
        self.pool = top_pool(scores, config.pool_size)
        self.pool_scores = np.take_along_axis(scores, self.pool, axis=1)
        self.target = target_exposure(relevant, config.gamma)

    def forward(
        self, offsets: np.ndarray, gumbel: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Smooth preferences in every sample, and system exposure less target exposure."""
        gamma = self.config.gamma
        shift = offsets[self.groups.users[:, None], self.groups.items[self.pool]]
        scores = (self.pool_scores + shift) / self.config.temperature
        samples = []
        exposure = np.zeros_like(scores)
        for noise in gumbel:
            above = smooth_preferences(scores + noise, self.config.tau)
            samples.append(above)
            exposure += gamma ** above.sum(axis=2) / len(gumbel)
        system = np.zeros_like(self.target)
        np.put_along_axis(system, self.pool, exposure, axis=1)
        return samples, system - self.target

    def gradient(
        self, samples: list[np.ndarray], gap: np.ndarray, alpha: float, scales: tuple[float, float]
    ) -> np.ndarray:
        """Gradient of the mixed loss with respect to the offsets."""
        config = self.config
        by_exposure = loss_gradient(gap, alpha, scales, self.groups)
        by_exposure = np.take_along_axis(by_exposure, self.pool, axis=1)
        by_score = np.zeros_like(by_exposure)
        for above in samples:
            by_score += score_gradient(above, by_exposure, config.gamma, config.tau)
        by_score /= len(samples) * config.temperature
        result = np.zeros((self.groups.users.max() + 1, self.groups.items.max() + 1))
        rows = np.broadcast_to(self.groups.users[:, None], self.pool.shape)
        np.add.at(result, (rows, self.groups.items[self.pool]), by_score)
        return result

    def train(self, gumbel: np.ndarray, alpha: float) -> Training:
        """Minimise (1 - alpha) II-F + alpha GG-F, each relative to its value at the start."""
        offsets = np.zeros((self.groups.users.max() + 1, self.groups.items.max() + 1))
        velocity = np.zeros_like(offsets)
        scales: tuple[float, float] | None = None
        losses, norms = [], []
        for _ in range(self.config.train_steps):
            samples, gap = self.forward(offsets, gumbel)
            ii, gg = (float(np.mean(aggregate(gap, m, self.groups) ** 2)) for m in ("ii", "gg"))
            scales = scales or (ii, gg)
            losses.append((1.0 - alpha) * ii / scales[0] + alpha * gg / scales[1])
            gradient = self.gradient(samples, gap, alpha, scales)
            norms.append(float(np.linalg.norm(gradient)))
            velocity = self.config.momentum * velocity - self.config.learning_rate * gradient
            offsets = offsets + velocity
        return Training(offsets, losses, norms)
