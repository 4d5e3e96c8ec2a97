"""Pictures of any kind as RGB."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.errors import WorldError

_CHANNELS = (1, 3, 4)
_EXPECTED = "expected RGB, RGBA or grey, uint8 or floats from 0 to 1"


def as_rgb(picture: Any, unit: bool | None = None) -> NDArray[np.uint8]:
    """A picture as a new array uint8 (height, width, 3).

    Grey pictures, one channel, RGBA (its alpha is left out), channels first, and lists of frames (the last one) are
    converted. Integers and floats above 1 span 0 to 255, other floats 0 to 1.

    Args:
        picture: what an environment calls one.
        unit: whether white is 1, where its space says so; None to judge by the picture.

    Raises:
        WorldError: it is no picture, or has values outside of its range.
    """
    is_frames = isinstance(picture, list | tuple) and len(picture) and not isinstance(picture[-1], list | tuple)
    try:
        values = np.asarray(picture[-1] if is_frames else picture)
    except ValueError as error:  # rows of different lengths
        raise WorldError(f"the picture is {_described(picture)} of uneven rows, {_EXPECTED}") from error
    if values.ndim == 4 and len(values):
        values = values[-1]
    if values.ndim == 3 and values.shape[2] not in _CHANNELS and values.shape[0] in (1, 3):
        values = np.moveaxis(values, 0, 2)
    if values.ndim == 2:
        values = values[:, :, None]
    if values.dtype.kind not in "buif" or values.ndim != 3 or values.shape[2] not in _CHANNELS or not values.size:
        raise WorldError(f"the picture is {_described(picture)}, {_EXPECTED}")
    colours = _as_bytes(values[:, :, :3], unit)
    return np.array(np.broadcast_to(colours, (*colours.shape[:2], 3)), np.uint8, order="C")


def _as_bytes(values: NDArray[Any], unit: bool | None) -> NDArray[np.uint8]:
    if values.dtype == np.uint8 and not unit:
        return values
    low, high = values.min(), values.max()
    if unit is None:
        unit = values.dtype == np.bool_ or (values.dtype.kind == "f" and bool(high <= 1.0))
    if not (low >= 0 and high <= (1 if unit else 255)):
        raise WorldError(f"the picture has values from {low:g} to {high:g} ({values.dtype}), {_EXPECTED}")
    return np.rint(values.astype(np.float32) * (255 if unit else 1)).astype(np.uint8)


def _described(picture: Any) -> str:
    if isinstance(picture, np.ndarray):
        return f"{picture.dtype} {picture.shape}"
    if isinstance(picture, list | tuple):
        return f"a list of {len(picture)}"
    return "None" if picture is None else f"a {type(picture).__name__}"
