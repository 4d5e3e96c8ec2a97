"""Random shifts of camera frames (Yarats et al. 2022, DrQ-v2)."""

from __future__ import annotations

import torch
from torch import Tensor


def random_shift(frames: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Shifts each window of frames by up to `pixels` in x and y, all frames of a window by the same.

    Args:
        frames: `(windows, frames, height, width, 3)`, any dtype; the border repeats outward.
        pixels: largest shift; 0 leaves the frames as they are.
        generator: of the shifts.

    Returns:
        the same shape.
    """
    if pixels == 0:
        return frames
    shifts = torch.randint(-pixels, pixels + 1, (frames.shape[0], 2), generator=generator).tolist()
    # Whole rows are moved: gathering pixels by index is several times slower for uint8.
    shifted = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for target, source, (down, right) in zip(shifted, frames, shifts, strict=True):
        rows_to, rows_from = _overlap(down, source.shape[1])
        columns_to, columns_from = _overlap(right, source.shape[2])
        target[:, rows_to, columns_to] = source[:, rows_from, columns_from]
        _repeat_border(target, rows_to, dim=1)
        _repeat_border(target, columns_to, dim=2)
    return shifted


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Where a shifted axis lands, and where it comes from."""
    return slice(max(shift, 0), size + min(shift, 0)), slice(max(-shift, 0), size + min(-shift, 0))


def _repeat_border(target: Tensor, filled: slice, dim: int) -> None:
    """Copies the first and last filled line outward."""
    size = target.shape[dim]
    if filled.start > 0:
        target.narrow(dim, 0, filled.start).copy_(target.narrow(dim, filled.start, 1))
    if filled.stop < size:
        target.narrow(dim, filled.stop, size - filled.stop).copy_(target.narrow(dim, filled.stop - 1, 1))
