"""Finite scalar quantisation (Mentzer et al. 2024), and a prediction of its codes (Scannell et al. 2025, DC-MPC).

A latent `(..., channels * groups)` is made of groups of a few channels, and channel `c` takes one of `levels[c]` evenly
spaced values in [-1, 1]. The values of a group's channels are its code, one of `prod(levels)`. Unit `c * groups + g` is
channel `c` of group `g`: the members of a group lie `groups` apart, as those of a simplex do in `simnorm`.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


@lru_cache(maxsize=16)
def codebook(levels: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """The values of each code, `(codes, channels)`, the last channel counting fastest.

    Raises:
        ValueError: a number of levels is even or below 3: 0 must be a level, or rest would have no code.
    """
    if not levels or any(count < 3 or count % 2 == 0 for count in levels):
        raise ValueError(f"levels of a quantised latent are {levels}: each must be odd and at least 3, such as (5, 3)")
    values = [[2 * index / (count - 1) - 1 for index in range(count)] for count in levels]
    with torch.inference_mode(False):  # made while acting, used while learning as well
        return torch.tensor(list(itertools.product(*values)), dtype=dtype, device=device)


def quantise(embedding: Tensor, levels: tuple[int, ...]) -> Tensor:
    """The nearest level of `tanh(embedding)`, `(..., channels * groups)` to the same shape.

    The gradient passes straight through the rounding.
    """
    bounded = torch.tanh(embedding).unflatten(-1, (len(levels), -1))
    # One channel at a time: a tensor of levels would be copied to a GPU at each call.
    rounded = [
        torch.round(channel * ((count - 1) / 2)) / ((count - 1) / 2)
        for channel, count in zip(bounded.detach().unbind(-2), levels, strict=True)
    ]
    return (bounded + (torch.stack(rounded, dim=-2) - bounded.detach())).flatten(-2)


def code_indices(latent: Tensor, levels: tuple[int, ...]) -> Tensor:
    """Which code each group of a quantised latent is, `(..., channels * groups)` to int64 `(..., groups)`."""
    channels = latent.unflatten(-1, (len(levels), -1)).unbind(-2)
    index = torch.zeros_like(channels[0], dtype=torch.int64)
    for channel, count in zip(channels, levels, strict=True):
        index = index * count + torch.round((channel + 1) * (count - 1) / 2).to(torch.int64)
    return index


def expected_code(logits: Tensor, levels: tuple[int, ...]) -> Tensor:
    """The mean code of a distribution, logits `(..., codes * groups)` to `(..., channels * groups)`."""
    codes = codebook(levels, logits.dtype, logits.device)
    probabilities = torch.softmax(logits.unflatten(-1, (codes.shape[0], -1)), dim=-2)
    return (codes.T @ probabilities).flatten(-2)


def code_loss(logits: Tensor, latent: Tensor, levels: tuple[int, ...]) -> Tensor:
    """Cross-entropy of predicted codes against those of a quantised latent, a mean over groups.

    Args:
        logits: `(..., rows, codes * groups)`.
        latent: `(rows, channels * groups)`.
        levels: of each channel.

    Returns:
        `(..., rows)`.
    """
    log_probabilities = F.log_softmax(logits.unflatten(-1, (math.prod(levels), -1)), dim=-2)
    target = code_indices(latent, levels).unsqueeze(-2).expand(*logits.shape[:-1], 1, -1)
    return -log_probabilities.gather(-2, target).squeeze(-2).mean(-1)
