"""The whole flow: levels of layers, between which half of the channels are factored out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi, prod

import torch

from realnvp import draws
from realnvp.arrays import Shape, on_device
from realnvp.layers import BatchNorm, Coupling, Layer, Squeeze
from realnvp.networks import ScaleTranslation
from realnvp.shapes import coupling_mask


@dataclass(frozen=True)
class Plan:
    """What a flow is made of.

    Each level is a string with one letter per layer: "k" for a coupling layer with a
    checkerboard mask, "c" for one with a mask by channels, "s" for squeezing. Masks alternate
    within a run of the same letter, unless ``fixed``. Every coupling layer is followed by batch
    normalisation if ``normalise``.
    """

    levels: Sequence[str]
    hidden: int
    additive: bool = False
    normalise: bool = True
    fixed: bool = False


@dataclass
class Flow:
    """``theta`` holds the numbers of all parameters, in one row.

    ``parameters`` are the tensors that the layers use: they take gradients and share their
    numbers with theta. ``levels`` holds the layers of each level; ``shape`` is that of one data
    point.
    """

    theta: torch.Tensor
    parameters: list[torch.Tensor]
    shape: Shape
    levels: list[list[Layer]]

    def forward(self, x: torch.Tensor, training: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        h = x
        log_det = torch.zeros(len(x))
        parts = []
        for number, level in enumerate(self.levels, start=1):
            for layer in level:
                h, change = layer.forward(h, training)
                log_det = log_det + change
            if number < len(self.levels):
                half = h.shape[1] // 2
                parts.append(h[:, half:].flatten(1))
                h = h[:, :half]
        parts.append(h.flatten(1))
        return torch.cat(parts, dim=1), log_det

    def inverse(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows = len(z)
        shapes = self.part_shapes()
        pieces = z.split([prod(shape) for shape in shapes], dim=1)
        log_det = torch.zeros(rows)
        h = pieces[-1].reshape(rows, *shapes[-1])
        for number in range(len(self.levels) - 1, -1, -1):
            if number < len(self.levels) - 1:
                gone = pieces[number].reshape(rows, *shapes[number])
                h = torch.cat([h, gone], dim=1)
            for layer in reversed(self.levels[number]):
                h, change = layer.inverse(h)
                log_det = log_det + change
        return h, log_det

    def part_shapes(self) -> list[Shape]:
        """Shapes of the parts of the latents."""
        shapes = []
        channels, height, width = self.shape
        for number, level in enumerate(self.levels, start=1):
            for layer in level:
                if isinstance(layer, Squeeze):
                    channels, height, width = 4 * channels, height // 2, width // 2
            if number < len(self.levels):
                shapes.append((channels - channels // 2, height, width))
                channels //= 2
        return [*shapes, (channels, height, width)]

    def networks(self) -> list[ScaleTranslation]:
        """The networks of all the coupling layers."""
        layers = (layer for level in self.levels for layer in level)
        return [layer.network for layer in layers if isinstance(layer, Coupling)]


def log_prior(z: torch.Tensor) -> torch.Tensor:
    """Log density of the standard normal distribution at each row."""
    return -0.5 * (z.square() + log(2.0 * pi)).sum(dim=1)


def build_flow(plan: Plan, shape: Shape, seed: int) -> Flow:
    """A flow before training."""
    arrays = []
    slots: list[tuple[str, Shape, bool]] = []
    channels, height, width = shape
    for number, level in enumerate(plan.levels, start=1):
        flipped, before = False, ""
        for letter in level:
            if letter == "s":
                channels, height, width = 4 * channels, height // 2, width // 2
            else:
                flipped = letter == before and not flipped and not plan.fixed
                pattern = "checkerboard" if letter == "k" else "channels"
                size = channels * height * width
                for layer in draws.network_layers(seed, len(slots), size, plan.hidden):
                    arrays += [on_device(array) for array in layer]
                arrays.append(torch.ones(size))
                slots.append((pattern, (channels, height, width), flipped))
            before = letter
        if number < len(plan.levels):
            channels //= 2
    theta = torch.cat([array.flatten() for array in arrays])
    parts = theta.split([array.numel() for array in arrays])
    parameters = [
        part.view(array.shape).detach().requires_grad_()
        for part, array in zip(parts, arrays, strict=True)
    ]
    pieces = iter(parameters)
    remaining = iter(slots)
    levels: list[list[Layer]] = []
    for level in plan.levels:
        layers: list[Layer] = []
        for letter in level:
            if letter == "s":
                layers.append(Squeeze())
                continue
            pattern, size_now, flipped = next(remaining)
            weights = [(next(pieces), next(pieces), next(pieces)) for _ in range(3)]
            network = ScaleTranslation(weights, next(pieces))
            layers.append(
                Coupling(coupling_mask(pattern, size_now, flipped), network, plan.additive)
            )
            if plan.normalise:
                layers.append(BatchNorm(torch.zeros(size_now[0]), torch.ones(size_now[0])))
        levels.append(layers)
    return Flow(theta, parameters, shape, levels)
