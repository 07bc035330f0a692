"""realnvp/layers.py::BatchNorm.inverse: broadcasting over channels, half of the log variance."""

import torch


def inverse(self, h: torch.Tensor) -> Step:
    spread = (self.variance + 1e-5).view(1, -1, 1, 1)
    result = self.mean.view(1, -1, 1, 1) + h * spread**0.5
    log_det = 0.5 * torch.log(spread.expand_as(h)).sum(dim=(1, 2, 3))
    return result, log_det
