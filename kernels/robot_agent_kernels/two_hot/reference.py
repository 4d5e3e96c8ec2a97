"""Two-hot targets and their expectation on a symlog scale (Hafner et al. 2023, DreamerV3, eqs. 1 and 9)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def symlog(values: Tensor) -> Tensor:
    """`sign(x) ln(1 + |x|)`."""
    return torch.sign(values) * torch.log1p(torch.abs(values))


def symexp(values: Tensor) -> Tensor:
    """The inverse of `symlog`."""
    return torch.sign(values) * torch.expm1(torch.abs(values))


def two_hot(values: Tensor, bins: Tensor) -> Tensor:
    """Targets for scalars: weight on the two bins around `symlog(value)` such that their mean is it.

    Args:
        values: `(...)`; beyond the outer bins they are clamped.
        bins: `(bins,)` evenly spaced support on the symlog scale.

    Returns:
        `(..., bins)`, non-negative, each row sums to 1.
    """
    step = bins[1] - bins[0]
    position = ((symlog(values).clamp(bins[0], bins[-1]) - bins[0]) / step).clamp(0, bins.shape[0] - 1)
    index = torch.arange(bins.shape[0], device=bins.device, dtype=bins.dtype)
    return (1 - (position.unsqueeze(-1) - index).abs()).clamp_min(0)


def two_hot_mean(logits: Tensor, bins: Tensor) -> Tensor:
    """The scalar that a distribution stands for: `symexp` of its mean bin, `(..., bins) -> (...)`."""
    return symexp(torch.softmax(logits, dim=-1) @ bins)


def two_hot_loss(logits: Tensor, values: Tensor, bins: Tensor) -> Tensor:
    """Cross-entropy of `logits (..., bins)` against the two-hot targets of `values (...)`, `(...)`."""
    return -(two_hot(values, bins) * F.log_softmax(logits, dim=-1)).sum(-1)
