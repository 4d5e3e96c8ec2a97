"""A camera's message becomes what the agent sees, or is refused by name."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from robot_agent_ros.agent.frames import FrameReader, fastest_resize
from robot_agent_ros.agent.pairing import Refused
from robot_agent_sim.cameras.resize import resize_by_area


def frame(**changes: object) -> SimpleNamespace:
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    fields = {"height": 48, "width": 64, "encoding": "rgb8", "is_bigendian": 0, "step": 192, "data": pixels.tobytes()}
    return SimpleNamespace(**fields | changes)


def test_a_frame_is_averaged_over_areas_whoever_does_it():
    rng = np.random.default_rng(0)
    for size in ((64, 64), (48, 60), (7, 5)):
        picture = rng.integers(0, 255, (480, 640, 3), np.uint8)
        difference = fastest_resize()(picture, size).astype(int) - resize_by_area(picture, size)
        assert np.abs(difference).max() <= 1
    seen = FrameReader((16, 16), (48, 64), compressed=False).read(frame())
    assert (seen.shape, seen.dtype) == ((16, 16, 3), np.uint8)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"height": 24}, "camera_size"),
        ({"width": 2**31}, "camera_size"),
        ({"encoding": "32FC1"}, "camera_encoding"),
        ({"encoding": ""}, "camera_encoding"),
        ({"data": b"torn"}, "camera_unreadable"),
        ({"step": 3}, "camera_unreadable"),
    ],
)
def test_a_frame_that_is_not_as_it_should_be_is_refused_by_name(change: dict, name: str):
    with pytest.raises(Refused) as caught:
        FrameReader((16, 16), (48, 64), compressed=False).read(frame(**change))
    assert caught.value.name == name


def test_a_compressed_frame_is_checked_too():
    reader = FrameReader((16, 16), (48, 64), compressed=True)
    with pytest.raises(Refused) as caught:
        reader.read(SimpleNamespace(format="jpeg", data=b"nonsense"))
    assert caught.value.name == "camera_unreadable"


def test_frames_that_are_refused_again_and_again_are_not_held():
    reader = FrameReader((16, 16), (48, 64), compressed=False, opening=1.0)
    depths = []
    for _ in range(3):
        with pytest.raises(Refused, match="no camera_info has come") as caught:
            reader.read(frame())
        depths.append(len(caught.traceback))
    assert len(set(depths)) == 1
