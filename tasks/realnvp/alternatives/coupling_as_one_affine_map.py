"""realnvp/layers.py::Coupling.forward: masked scale and shift applied to the whole input."""

import torch


def forward(self, h: torch.Tensor, training: bool) -> Step:
    kept = self.mask.bool()
    scale, shift = self.network.forward(torch.where(kept, h, torch.zeros_like(h)))
    shift = shift.masked_fill(kept, 0.0)
    if self.additive:
        return h + shift, h.new_zeros(len(h))
    scale = scale.masked_fill(kept, 0.0)
    return torch.exp(scale) * h + shift, torch.einsum("nchw->n", scale)
