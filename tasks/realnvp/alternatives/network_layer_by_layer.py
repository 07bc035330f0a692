"""realnvp/networks.py::ScaleTranslation.forward: gains applied to the outputs, layer by layer."""

import torch
from torch.nn.functional import normalize


def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    def dense(inputs, weights):
        direction, gain, bias = weights
        return gain * (inputs @ normalize(direction, dim=1).mT) + bias

    def smooth(a):
        return a * torch.sigmoid(a)

    h = dense(x.reshape(len(x), -1), self.layers[0])
    for weights in self.layers[1:-1]:
        h = h + dense(smooth(h), weights)
    both = dense(smooth(h), self.layers[-1]).view(len(x), 2, *x.shape[1:])
    factor = self.factor.view(x.shape[1:])
    return torch.tanh(both[:, 0]) * factor, both[:, 1]
