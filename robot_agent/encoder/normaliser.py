"""Running normalisation of proprioception."""

from __future__ import annotations

import torch
from torch import Tensor, nn

RELATIVE_PRECISION = 1e-4
"""A standard deviation below this share of the mean is taken for the resolution of the sensor."""
SMALLEST_STD = 1e-9
"""In any unit; below it lies the numerical noise of a simulated quantity that is 0."""


class RunningNormaliser(nn.Module):
    """Zero mean and unit variance over all that was seen so far (Chan et al. 1979, parallel variance).

    Its statistics are buffers: they travel with the weights and the checkpoint. A dimension that varies by no more than
    the precision of its numbers is constant, in whatever unit it is; results are clipped, so that a jump of a sensor
    cannot blow the encoder up.
    """

    count: Tensor
    mean: Tensor
    second_moment: Tensor

    def __init__(self, width: int, clip: float = 10.0) -> None:
        super().__init__()
        self.clip = clip
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(width, dtype=torch.float64))
        self.register_buffer("second_moment", torch.zeros(width, dtype=torch.float64))

    @torch.no_grad()
    def update(self, values: Tensor, known: Tensor | None = None) -> None:
        """Adds rows to the statistics, in any order. A row that is drawn from replay again counts again.

        Args:
            values: `(rows, width)`.
            known: `(rows,)`, 0 for a row that does not count; all count if None.
        """
        rows = values.to(torch.float64)
        weights = torch.ones_like(rows[:, :1]) if known is None else known.to(torch.float64)[:, None]
        count = weights.sum()
        mean = (weights * rows).sum(0) / count.clamp_min(1)
        total = self.count + count
        share = count / total.clamp_min(1)
        delta = mean - self.mean
        self.second_moment += (weights * (rows - mean).square()).sum(0) + delta.square() * self.count * share
        self.mean += delta * share
        self.count.copy_(total)

    def forward(self, values: Tensor) -> Tensor:
        """`(..., width)` to the same shape, clipped to `[-clip, clip]`."""
        variance = self.second_moment / self.count.clamp_min(1)
        precision = RELATIVE_PRECISION * self.mean.abs() + SMALLEST_STD
        std = torch.where(self.count > 1, torch.maximum(variance.sqrt(), precision), 1.0)
        return ((values - self.mean.to(values.dtype)) / std.to(values.dtype)).clamp(-self.clip, self.clip)
