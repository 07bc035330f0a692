"""The networks that compute scale and translation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import silu

Weights = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class ScaleTranslation:
    """A fully connected residual network with weight normalisation.

    ``layers`` holds (direction, gain, bias) per layer, of shapes (outputs, inputs), (outputs,)
    and (outputs,): the first layer leads to the hidden units, the last to twice the number of
    inputs, and all between keep the number of hidden units. ``factor`` holds one number per
    input.
    """

    layers: list[Weights]
    factor: torch.Tensor

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = x.flatten(1)
        last = len(self.layers) - 1
        for index, (direction, gain, bias) in enumerate(self.layers):
            norms = direction.square().sum(dim=1).sqrt()
            weights = direction * (gain / norms)[:, None]
            received = silu(hidden) if index > 0 else hidden
            output = received @ weights.T + bias
            if 0 < index < last:
                output = output + hidden
            hidden = output
        raw_scale, translation = hidden.chunk(2, dim=1)
        scale = self.factor * torch.tanh(raw_scale)
        return scale.reshape(x.shape), translation.reshape(x.shape)

    def gains(self) -> list[torch.Tensor]:
        """The gains of all layers, which are penalised."""
        return [gain for _, gain, _ in self.layers]
