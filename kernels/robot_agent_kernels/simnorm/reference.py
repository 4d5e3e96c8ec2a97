"""`simnorm`: a latent made of simplices (Lavoie et al. 2022; Hansen et al. 2024, TD-MPC2, eq. 5)."""

from __future__ import annotations

import torch
from torch import Tensor

from robot_agent_kernels.layer_norm.reference import layer_norm


def simnorm(inputs: Tensor, groups: int) -> Tensor:
    """LayerNorm without gain or bias, then a softmax over each simplex; `inputs` `(..., latent)`, same shape out.

    Unit `i` belongs to simplex `i % groups`: the members of a simplex lie `groups` apart. It is the same function as
    with neighbouring members up to the order of units, and sums over a strided axis vectorise across simplices. What
    LayerNorm puts out is bounded by the root of the width, so no maximum need be subtracted before the exponential.

    Raises:
        RuntimeError: the latent's width is not a multiple of `groups`.
    """
    grown = torch.exp(layer_norm(inputs)).unflatten(-1, (-1, groups))
    return (grown / grown.sum(-2, keepdim=True)).flatten(-2)
