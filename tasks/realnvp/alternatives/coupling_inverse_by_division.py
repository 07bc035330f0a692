"""realnvp/layers.py::Coupling.inverse: the affine map undone by division."""

import torch


def inverse(self, h: torch.Tensor) -> Step:
    free = 1.0 - self.mask
    scale, shift = self.network.forward(self.mask * h)
    exponent = free * scale if not self.additive else torch.zeros_like(h)
    return (h - free * shift) / exponent.exp(), exponent.flatten(1).sum(dim=1).neg()
