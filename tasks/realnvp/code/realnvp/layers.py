"""Invertible layers: each knows the log-determinant of its Jacobian, in both directions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch

from realnvp.networks import ScaleTranslation
from realnvp.shapes import squeeze

MOMENTUM = 0.9
EPSILON = 1e-5

Step = tuple[torch.Tensor, torch.Tensor]


class Layer(Protocol):
    """Both methods give the result and, per row, the log-determinant of what they did."""

    def forward(self, h: torch.Tensor, training: bool) -> Step: ...

    def inverse(self, h: torch.Tensor) -> Step: ...


@dataclass
class Coupling:
    """A coupling layer with the binary mask b; ``additive`` leaves the scale out."""

    mask: torch.Tensor
    network: ScaleTranslation
    additive: bool = False

    def forward(self, h: torch.Tensor, training: bool) -> Step:
        free = 1.0 - self.mask
        kept = self.mask * h
        scale, translation = self.network.forward(kept)
        if self.additive:
            scale = torch.zeros_like(h)
        log_scale = free * scale
        moved = h * torch.exp(log_scale) + translation
        result = kept + free * moved
        log_det = log_scale.flatten(1).sum(dim=1)
        return result, log_det

    def inverse(self, h: torch.Tensor) -> Step:
        kept = h * self.mask
        scale, translation = self.network.forward(kept)
        if self.additive:
            scale = scale * 0.0
        back = (h - translation) * torch.exp(-scale)
        result = torch.where(self.mask > 0.5, h, back)
        lost = torch.where(self.mask > 0.5, torch.zeros_like(scale), scale)
        return result, -lost.sum(dim=(1, 2, 3))


@dataclass
class BatchNorm:
    """Batch normalisation of a flow, with running statistics per channel."""

    mean: torch.Tensor
    variance: torch.Tensor

    def forward(self, h: torch.Tensor, training: bool) -> Step:
        mean, variance = self.mean, self.variance
        if training:
            batch_mean = h.mean(dim=(0, 2, 3))
            batch_variance = h.var(dim=(0, 2, 3), correction=0)
            mean = MOMENTUM * mean + (1.0 - MOMENTUM) * batch_mean
            variance = MOMENTUM * variance + (1.0 - MOMENTUM) * batch_variance
            self.mean, self.variance = mean.detach(), variance.detach()
        spread = variance + EPSILON
        centred = h - mean[:, None, None]
        result = centred / torch.sqrt(spread)[:, None, None]
        positions = h.shape[2] * h.shape[3]
        log_det = -0.5 * positions * torch.log(spread).sum()
        return result, log_det.expand(len(h))

    def inverse(self, h: torch.Tensor) -> Step:
        rows, channels, height, width = h.shape
        deviation = torch.sqrt(self.variance + EPSILON)
        columns = h.permute(0, 2, 3, 1).reshape(-1, channels)
        stretched = columns * deviation + self.mean
        result = stretched.reshape(rows, height, width, channels)
        log_det = height * width * torch.log(deviation).sum()
        return result.permute(0, 3, 1, 2), log_det.repeat(rows)


@dataclass
class Squeeze:
    """Squares of 2 x 2 become 4 channels; nothing is stretched."""

    zero: torch.Tensor = field(default_factory=lambda: torch.zeros(1))

    def forward(self, h: torch.Tensor, training: bool) -> Step:
        return squeeze(h, undo=False), self.zero.expand(len(h))

    def inverse(self, h: torch.Tensor) -> Step:
        return squeeze(h, undo=True), self.zero.expand(len(h))
