"""The guard against collapse of a self-predicting latent."""

from __future__ import annotations

import torch
from torch import Tensor


def collapse_guard(embedding: Tensor, min_std: float = 1.0) -> Tensor:
    """Keeps each dimension alive and the dimensions different from each other.

    A hinge on the standard deviation and the mean squared off-diagonal correlation of a batch, after VICReg (Bardes et
    al. 2022): no negatives, no reconstruction. It looks at the embedding before SimNorm, which bounds the latent but
    does not stop it from being constant.

    Args:
        embedding: `(rows, width)`, at least two rows.
        min_std: standard deviation below which a dimension is pushed apart.

    Returns:
        scalar.
    """
    centered = embedding - embedding.mean(0)
    covariance = centered.T @ centered / (embedding.shape[0] - 1)
    std = (covariance.diagonal() + 1e-4).sqrt()
    correlation = covariance / (std.unsqueeze(0) * std.unsqueeze(1))
    width = embedding.shape[1]
    off_diagonal = (correlation.square().sum() - correlation.diagonal().square().sum()) / (width * (width - 1))
    return torch.relu(min_std - std).mean() + off_diagonal


def effective_rank(latents: Tensor) -> float:
    """Exponential of the entropy of the normalised singular values (Roy and Vetterli 2007), `(rows, width)` in."""
    singular = torch.linalg.svdvals((latents - latents.mean(0)).to(torch.float32))
    share = singular / singular.sum().clamp_min(1e-12)
    return float(torch.exp(-(share * torch.log(share.clamp_min(1e-12))).sum()))
