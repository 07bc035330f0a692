"""alibi/training.py::clip_gradients: one vector of all gradients, always scaled."""

import torch
from alibi.arrays import Params


def clip_gradients(grads: Params, limit: float) -> tuple[Params, float]:
    vector = torch.cat([grad.reshape(-1) for grad in grads.values()])
    norm = torch.linalg.vector_norm(vector).item()
    vector = vector * min(1.0, limit / max(norm, 1e-30))
    pieces = vector.split([grad.numel() for grad in grads.values()])
    clipped = {
        name: piece.reshape(grads[name].shape) for name, piece in zip(grads, pieces, strict=True)
    }
    return clipped, norm
