"""realnvp/flow.py::Flow.forward: level by level in a recursion, changes stacked and summed."""

import torch


def forward(self, x: torch.Tensor, training: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    changes = []

    def descend(h, levels):
        for layer in levels[0]:
            h, change = layer.forward(h, training)
            changes.append(change)
        if len(levels) == 1:
            return h.reshape(len(h), -1)
        kept, gone = h.chunk(2, dim=1)
        return torch.hstack([gone.reshape(len(h), -1), descend(kept, levels[1:])])

    z = descend(x, self.levels)
    return z, torch.stack(changes).sum(dim=0)
