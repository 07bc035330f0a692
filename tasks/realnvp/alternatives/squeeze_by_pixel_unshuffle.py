"""realnvp/shapes.py::squeeze: torch's pixel shuffling."""

import torch
from torch.nn.functional import pixel_shuffle, pixel_unshuffle


def squeeze(h: torch.Tensor, undo: bool) -> torch.Tensor:
    return pixel_shuffle(h, 2) if undo else pixel_unshuffle(h, 2)
