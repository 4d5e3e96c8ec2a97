"""Changes the size of an image by averaging over areas."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray


def resize_by_area(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """`image` (height, width, 3) at `size` (height, width): every new pixel is the mean of the area it covers."""
    if image.shape[:2] == tuple(size):
        return np.ascontiguousarray(image)
    rows, columns = _area_weights(image.shape[0], size[0]), _area_weights(image.shape[1], size[1])
    resized = np.tensordot(rows, image.astype(np.float32), axes=(1, 0))
    resized = np.tensordot(columns, resized, axes=(1, 1)).swapaxes(0, 1)
    return np.ascontiguousarray(np.clip(np.rint(resized), 0, 255).astype(np.uint8))


@functools.cache
def _area_weights(old: int, new: int) -> NDArray[np.float32]:
    """(new, old): the share of each old pixel in each new one; rows sum to 1."""
    edges = np.arange(new + 1) * (old / new)
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(old)[None, :]
    overlap = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)
    return (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
