"""Rewards in units of their own size, so that the heads learn alike whatever units a world counts in."""

from __future__ import annotations

import torch
from torch import Tensor, nn

QUANTILE = 0.9
"""Of the sizes of rewards that matter: the unit."""
NEGLIGIBLE = 1e-4
"""A reward below this share of the largest says nothing about the unit, so that rare rewards set it."""
LARGEST = 1000.0
"""The largest reward in units of the scale; the two-hot bins still hold it."""
RATE = 1e-3
"""Largest change of the scale per update, on a log axis; the heads follow that."""
FORGETTING = 1e-4
"""Share of the largest reward that is forgotten per update."""
FAR = 100.0
"""A median that is so many units away from the offset means another world: the scale is fitted again."""
PRECISION = 1e-12
"""Rewards that differ from the offset by less than this share of it are equal to it."""
GRID = 2.0**-16
"""Spacing of normalised rewards, far below that of the two-hot bins. The same rewards in other units differ in their
last binary digits; on a grid they are equal, so that a deterministic life in other units is the same life."""


class RewardScale(nn.Module):
    """`r' = (r - offset) / scale`, fitted to the rewards that are learned from.

    The scale is a high quantile of the distances of rewards from the offset. The offset is the median reward of the
    first batch where no episode is ever terminated: there a constant that is added to every reward changes no decision.
    It is 0 where episodes are terminated: the value after an end is 0 in the world's own units, so a constant changes
    what is best, and the agent must see it.

    A value `V' = sum discount^k r'_k` is `scale V' + offset / (1 - discount)` in the world's units. Buffers are float64
    and travel with the weights.

    Args:
        discount: per decision.
        enabled: False leaves rewards as they are.
    """

    scale: Tensor
    offset: Tensor
    largest: Tensor
    fitted: Tensor

    def __init__(self, discount: float, enabled: bool = True) -> None:
        super().__init__()
        self.discount = discount
        self.enabled = enabled
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))
        self.register_buffer("offset", torch.zeros((), dtype=torch.float64))
        self.register_buffer("largest", torch.zeros((), dtype=torch.float64))
        self.register_buffer("fitted", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def fit(self, rewards: Tensor, known: Tensor, terminates: bool) -> None:
        """Follows the rewards of a batch.

        Args:
            rewards: float64, any shape, in the world's units.
            known: the same shape, 0 where there is no reward.
            terminates: whether an episode of this world was ever terminated.
        """
        if not self.enabled:
            return
        rewards = torch.where(known > 0, rewards, torch.nan)
        if terminates:
            anew = ~self.fitted | (self.offset != 0)
            offset = torch.zeros_like(self.offset)
        else:
            median = torch.nanmedian(rewards)
            anew = ~self.fitted | ((median - self.offset).abs() > FAR * self.scale)
            offset = torch.where(anew & torch.isfinite(median), median, self.offset)
        distance = (rewards - offset).abs()
        distance = torch.where(distance > PRECISION * offset.abs(), distance, distance * 0)
        before = torch.where(anew, 0.0, self.largest * (1 - FORGETTING))
        largest = torch.maximum(torch.nan_to_num(distance, nan=0.0).max(), before)
        size = torch.nanquantile(torch.where(distance > NEGLIGIBLE * largest, distance, torch.nan).flatten(), QUANTILE)
        found = torch.isfinite(size)
        followed = self.scale * torch.exp(torch.log(size / self.scale).clamp(-RATE, RATE))
        scale = torch.maximum(torch.where(anew, size, followed), largest / LARGEST)
        self.scale.copy_(torch.where(found, scale, self.scale))
        self.largest.copy_(largest)
        self.offset.copy_(offset)
        self.fitted.logical_or_(found)

    def normalise(self, rewards: Tensor) -> Tensor:
        """Rewards in the world's units, float64, to float32 ones in units of the scale."""
        if not self.enabled:
            return rewards.to(torch.float32)
        scaled = (rewards.to(torch.float64) - self.offset) / self.scale
        return (torch.round(scaled / GRID) * GRID).to(torch.float32)

    def reward_in_world(self, reward: Tensor) -> Tensor:
        """The inverse of `normalise`, up to its grid; float64."""
        return self.scale * reward.to(torch.float64) + self.offset

    def value_in_world(self, value: Tensor) -> Tensor:
        """A discounted sum of normalised rewards, in the world's units; float64."""
        constant = self.offset / (1 - self.discount) if self.discount < 1 else torch.zeros_like(self.offset)
        return self.scale * value.to(torch.float64) + constant
