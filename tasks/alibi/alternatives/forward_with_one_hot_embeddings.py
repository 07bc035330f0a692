"""alibi/network.py::forward: embeddings by one-hot vectors, GELU and norms written out."""

import torch
from alibi.arrays import Params
from alibi.positions import attention_bias, sinusoids
from torch import Tensor


def forward(
    params: Params, architecture: Architecture, tokens: Tensor
) -> tuple[Tensor, list[Tensor]]:
    def centred(vectors: Tensor) -> Tensor:
        rest = vectors - vectors.mean(dim=-1, keepdim=True)
        return rest * torch.rsqrt((rest * rest).mean(dim=-1, keepdim=True) + 1e-5)

    table = params["embedding"]
    one_hot = torch.nn.functional.one_hot(tokens, table.shape[1]).to(table.dtype)
    state = one_hot @ (table.T * table.shape[0] ** 0.5)
    if architecture.method == "sinusoidal":
        state = state + sinusoids(tokens.shape[1], table.shape[0])[None]
    mask = attention_bias(architecture.method, architecture.heads, tokens.shape[1])
    looked = []
    for layer in range(architecture.layers):
        part = {key: params[f"{layer}.{key}"] for key in ("qkv", "merge", "up", "down")}
        heads, shares = attend(
            centred(state), part["qkv"], part["merge"], mask, architecture.method
        )
        looked.append(shares)
        state = state + heads
        inner = centred(state) @ part["up"]
        inner = 0.5 * inner * (1.0 + torch.erf(inner / 2.0**0.5))
        state = state + inner @ part["down"]
    return centred(state) @ table, looked
