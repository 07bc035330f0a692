"""Images of the transfer and training sets."""

from __future__ import annotations

import torch
from torch import Tensor


def jitter(X: Tensor, shifts: Tensor, side: int) -> Tensor:
    rows, columns = shifts[:, 0].long(), shifts[:, 1].long()
    grid = torch.arange(side, device=X.device)
    from_rows = grid[None, :] - rows[:, None]
    from_columns = grid[None, :] - columns[:, None]
    inside_rows = (from_rows >= 0) & (from_rows < side)
    inside_columns = (from_columns >= 0) & (from_columns < side)
    inside = inside_rows[:, :, None] & inside_columns[:, None, :]
    from_rows = from_rows.clamp(0, side - 1)
    from_columns = from_columns.clamp(0, side - 1)
    picked = from_rows[:, :, None] * side + from_columns[:, None, :]
    moved = X.gather(1, picked.flatten(1))
    return moved * inside.flatten(1)
