"""realnvp/flow.py::Flow.inverse: latents taken off the end of the row, level by level."""

import math

import torch


def inverse(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    total = z.new_zeros(len(z))
    end = z.shape[1]
    h = None
    for level, shape in reversed(list(zip(self.levels, self.part_shapes(), strict=True))):
        size = math.prod(shape)
        part = z[:, end - size : end].reshape(-1, *shape)
        end -= size
        h = part if h is None else torch.cat((h, part), 1)
        for layer in level[::-1]:
            h, change = layer.inverse(h)
            total = total + change
    return h, total
