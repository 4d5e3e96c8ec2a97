"""Random shifts of camera frames (Yarats et al. 2022, DrQ-v2)."""

from __future__ import annotations

import torch
from torch import Tensor


def random_shift(frames: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Shifts each window of frames by up to `pixels` in x and y; all frames of a window by the same.

    Args:
        frames: `(windows, frames, 3, height, width)`, any dtype; the border repeats outward.
        pixels: largest shift; 0 leaves the frames as they are.
        generator: of the shifts.

    Returns:
        the same shape.
    """
    if pixels == 0:
        return frames
    windows, count, channels, height, width = frames.shape
    flat = frames.reshape(windows, count * channels, height, width)
    # Padding by replication has no kernel for uint8, indexing with clamped coordinates has.
    shifts = torch.randint(-pixels, pixels + 1, (windows, 2), generator=generator)
    rows = (torch.arange(height) + shifts[:, :1]).clamp(0, height - 1)
    columns = (torch.arange(width) + shifts[:, 1:]).clamp(0, width - 1)
    shifted = [flat[w].index_select(1, rows[w]).index_select(2, columns[w]) for w in range(windows)]
    return torch.stack(shifted).view_as(frames)
