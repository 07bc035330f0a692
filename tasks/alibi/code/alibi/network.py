"""A decoder-only transformer over characters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from alibi import draws
from alibi.arrays import Method, Params
from alibi.positions import attention_bias, rotate, sinusoids

EPSILON = 1e-5


@dataclass(frozen=True)
class Architecture:
    """Sizes of the network, and how it is told about positions."""

    method: Method
    symbols: int
    width: int = 36
    heads: int = 6
    layers: int = 2
    hidden: int = 72

    def shapes(self) -> dict[str, tuple[int, int]]:
        """Shape (inputs, outputs) of every weight matrix, by name; see ``forward``."""
        shapes = {"embedding": (self.width, self.symbols)}
        for layer in range(self.layers):
            shapes[f"{layer}.qkv"] = (self.width, 3 * self.width)
            shapes[f"{layer}.merge"] = (self.width, self.width)
            shapes[f"{layer}.up"] = (self.width, self.hidden)
            shapes[f"{layer}.down"] = (self.hidden, self.width)
        return shapes

    def start(self, seed: int) -> Params:
        """Random initial weights."""
        arrays = draws.initial_weights(seed, self.shapes())
        return {name: torch.tensor(array, dtype=torch.float32) for name, array in arrays.items()}


def standardise(x: Tensor) -> Tensor:
    """Layer normalisation without learned gain and shift."""
    return torch.nn.functional.layer_norm(x, x.shape[-1:], eps=EPSILON)


def attend(
    x: Tensor, qkv: Tensor, merge: Tensor, bias: Tensor, method: Method
) -> tuple[Tensor, Tensor]:
    batch, length, width = x.shape
    heads = bias.shape[0]
    size = width // heads
    projected = x @ qkv
    pieces = []
    for part in torch.split(projected, width, dim=-1):
        pieces.append(part.reshape(batch, length, heads, size).transpose(1, 2))
    queries, keys, values = pieces
    if method == "rotary":
        queries, keys = rotate(queries), rotate(keys)
    scores = queries @ keys.mT / size**0.5
    weights = torch.softmax(scores + bias, dim=-1)
    mixed = (weights @ values).transpose(1, 2)
    return mixed.reshape(batch, length, width) @ merge, weights


def forward(
    params: Params, architecture: Architecture, tokens: Tensor
) -> tuple[Tensor, list[Tensor]]:
    length, width = tokens.shape[1], architecture.width
    method = architecture.method
    embedding = params["embedding"].T
    x = embedding[tokens] * width**0.5
    if method == "sinusoidal":
        x = x + sinusoids(length, width)
    bias = attention_bias(method, architecture.heads, length)
    attention = []
    for layer in range(architecture.layers):
        qkv, merge = params[f"{layer}.qkv"], params[f"{layer}.merge"]
        mixed, weights = attend(standardise(x), qkv, merge, bias, method)
        x = x + mixed
        hidden = torch.nn.functional.gelu(standardise(x) @ params[f"{layer}.up"])
        x = x + hidden @ params[f"{layer}.down"]
        attention.append(weights)
    return standardise(x) @ params["embedding"], attention
