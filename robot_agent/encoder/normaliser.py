"""Running normalisation of proprioception."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RunningNormaliser(nn.Module):
    """Zero mean and unit variance over all that was seen so far (Chan et al. 1979, parallel variance).

    Its statistics are buffers: they travel with the weights and the checkpoint. A dimension that hardly varies is
    divided by `min_std` instead, and results are clipped, so that a jump of a sensor cannot blow the encoder up.
    """

    count: Tensor
    mean: Tensor
    second_moment: Tensor

    def __init__(self, width: int, min_std: float = 0.01, clip: float = 10.0) -> None:
        super().__init__()
        self.min_std = min_std
        self.clip = clip
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(width, dtype=torch.float64))
        self.register_buffer("second_moment", torch.zeros(width, dtype=torch.float64))

    @torch.no_grad()
    def update(self, values: Tensor) -> None:
        """Takes `(rows, width)` in; every row counts once, whatever the order."""
        if values.shape[0] == 0:
            return
        rows = values.to(torch.float64)
        count = rows.shape[0]
        mean = rows.mean(0)
        total = self.count + count
        delta = mean - self.mean
        self.second_moment += (rows - mean).square().sum(0) + delta.square() * self.count * count / total
        self.mean += delta * count / total
        self.count.copy_(total)

    def forward(self, values: Tensor) -> Tensor:
        """`(..., width)` to the same shape, clipped to `[-clip, clip]`."""
        variance = self.second_moment / self.count.clamp_min(1)
        std = torch.where(self.count > 1, variance.sqrt().clamp_min(self.min_std), torch.ones_like(variance))
        return ((values - self.mean.to(values.dtype)) / std.to(values.dtype)).clamp(-self.clip, self.clip)
