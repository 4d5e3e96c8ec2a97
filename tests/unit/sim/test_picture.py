"""Pictures of any kind become RGB, or are refused in a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from robot_agent_sim.cameras.picture import as_rgb
from robot_agent_sim.errors import WorldError

RGB = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
GREY = RGB[:, :, 0]
GREY_RGB = np.repeat(GREY[:, :, None], 3, axis=2)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (RGB, RGB),
        (RGB / 255, RGB),
        ((RGB / 255).astype(np.float32), RGB),
        (RGB.astype(np.float64), RGB),
        (RGB.astype(np.int64), RGB),
        (RGB > 127, np.where(RGB > 127, 255, 0)),
        (GREY, GREY_RGB),
        (GREY / 255, GREY_RGB),
        (GREY[:, :, None], GREY_RGB),
        (np.dstack([RGB, np.full(GREY.shape, 7, np.uint8)]), RGB),
        (np.moveaxis(RGB, 2, 0), RGB),
        ([np.zeros_like(RGB), RGB], RGB),
        ((np.zeros_like(RGB), GREY), GREY_RGB),
        (np.stack([np.zeros_like(RGB), RGB]), RGB),
        (RGB.tolist(), RGB),
    ],
)
def test_what_is_meant_is_converted(picture: Any, expected: Any) -> None:
    rgb = as_rgb(picture)
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous
    assert np.array_equal(rgb, expected)


@pytest.mark.parametrize(
    ("picture", "complaint"),
    [
        (None, "is None"),
        ([], "is a list of 0"),
        ([[[1, 2, 3]], [[1, 2, 3], [1, 2, 3]]], "uneven rows"),
        (["a", "b"], "is a list of 2"),
        ("a text", "is a str"),
        (np.zeros((4, 4, 2), np.uint8), r"uint8 \(4, 4, 2\)"),
        (np.zeros(5, np.uint8), r"uint8 \(5,\)"),
        (np.zeros((0, 4, 3), np.uint8), r"uint8 \(0, 4, 3\)"),
        (np.full((4, 4, 3), None), "object"),
        (np.full((4, 4, 3), -0.5), "values from -0.5"),
        (np.full((4, 4, 3), np.nan), "values from nan"),
        (np.full((4, 4, 3), np.inf), "inf"),
        (np.full((4, 4, 3), 4095, np.uint16), "to 4095"),
        (np.full((4, 4, 3), -1, np.int64), "values from -1"),
    ],
)
def test_the_rest_is_refused_in_a_sentence(picture: Any, complaint: str) -> None:
    with pytest.raises(WorldError, match=complaint) as refused:
        as_rgb(picture)
    assert "expected RGB, RGBA or grey" in str(refused.value)


def test_a_declared_range_decides_where_the_picture_does_not() -> None:
    dark = np.full((4, 4, 3), 1.0)
    assert as_rgb(dark, unit=False).max() == 1
    assert as_rgb(dark, unit=True).max() == 255
    assert as_rgb(np.ones((4, 4, 3), np.uint8), unit=True).max() == 255
    with pytest.raises(WorldError, match="to 2"):
        as_rgb(2 * dark, unit=True)


@pytest.mark.parametrize("picture", [RGB, GREY, RGB / 255])
def test_a_picture_is_a_copy(picture: np.ndarray) -> None:
    buffer = picture.copy()
    rgb = as_rgb(buffer)
    before = rgb.copy()
    buffer[:] = 0
    assert np.array_equal(rgb, before)
