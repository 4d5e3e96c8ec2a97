"""What the agent sees of a robot's camera is what the camera of the world it learned in would see."""

from __future__ import annotations

from math import tan

import cv2
import numpy as np
import pytest
from robot_agent_ros.agent.frames import FrameReader
from robot_agent_ros.agent.making_body import body_of_world, make_world
from robot_agent_ros.agent.pairing import Refused
from robot_agent_ros.agent.view import View
from robot_agent_ros.messages.camera_info import Lens, read_lens
from robot_agent_ros.messages.error import MessageError
from robot_agent_ros.messages.images import fill_image
from robot_agent_ros.sim_body.camera import camera_info
from robot_agent_sim.live import LiveWorld
from sensor_msgs.msg import Image

OPENING = 0.8


@pytest.mark.parametrize("world", ["servo-arm/reach", "rover/goal"])
def test_a_wide_frame_of_the_simulated_robot_shows_what_the_agent_learned_with(world: str):
    env = make_world(world, ("camera", "proprio"), (64, 64))
    observation, _ = env.reset(seed=0)
    body = body_of_world(world, env)
    ((name, size),) = body.spec.cameras
    live = LiveWorld(env.unwrapped, 0.005)
    env.reset(seed=0)
    frame = Image()
    fill_image(frame, live.show(live.snapshot(), name, (480, 640)))
    learned = observation[f"camera/{name}"].astype(int)
    reader = FrameReader(size, (480, 640), False, body.opening)
    with pytest.raises(Refused) as caught:
        reader.read(frame)
    assert caught.value.name == "camera_info_missing"
    reader.look_through(camera_info(640, 480, live.focal_length(name, 480)))
    away = np.abs(reader.read(frame) - learned).mean()
    squeezed = np.abs(FrameReader(size, (480, 640), False).read(frame) - learned).mean()
    assert away < 2.5
    assert away < 0.5 * squeezed


def shade(rays: np.ndarray) -> np.ndarray:
    """A picture that is a smooth function of the direction (..., x and y over z) that is looked in."""
    x, y = rays[..., 0], rays[..., 1]
    return np.stack([np.sin(7 * x + 1), np.sin(6 * y), np.cos(5 * (x + y))], axis=-1)


@pytest.mark.parametrize(
    ("model", "distortion"),
    [
        ("plumb_bob", ()),
        ("plumb_bob", (-0.25, 0.08, 0.001, -0.002, 0.0)),
        ("equidistant", (0.02, -0.01, 0.003, 0.0)),
        ("equidistant", (0.0, 0.0, 0.0, 0.0)),
    ],
)
@pytest.mark.parametrize("shape", [1.0, 1.25])
def test_every_pixel_shows_the_direction_that_the_worlds_camera_would_see_there(
    model: str, distortion: tuple[float, ...], shape: float
):
    lens = Lens((240, 320), (250.0, 240.0), (165.3, 117.8), model, distortion)
    pixels = np.stack(np.meshgrid(np.arange(320.0), np.arange(240.0)), axis=-1).reshape(-1, 1, 2)
    k = np.array([[250.0, 0, 165.3], [0, 240.0, 117.8], [0, 0, 1]])
    undistort = cv2.fisheye.undistortPoints if model == "equidistant" else cv2.undistortPoints
    rays = undistort(pixels, k, np.array(distortion or (0.0,) * 4)).reshape(240, 320, 2)
    frame = np.rint(127 + 120 * shade(rays)).astype(np.uint8)
    seen = View(lens, OPENING, shape)(frame)
    height, width = seen.shape[:2]
    up = tan(OPENING / 2)
    y, x = (((np.arange(count) + 0.5) / count - 0.5) * 2 * half for count, half in ((height, up), (width, up * shape)))
    expected = 127 + 120 * shade(np.stack(np.meshgrid(x, y), axis=-1))
    assert np.abs(seen - expected).max() < 6  # half a pixel of the frame, by which a cut may be off


def test_a_camera_that_sees_less_than_the_world_s_shows_its_edge_beyond_it():
    lens = Lens((48, 64), (60.0, 60.0), (31.5, 23.5))
    frame = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    seen = View(lens, 1.2, 1.0)(frame)
    assert seen.shape == (82, 82, 3)
    np.testing.assert_array_equal(seen[17:65, 9:73], frame)
    np.testing.assert_array_equal(seen[0, 9:73], frame[0])


def test_frames_of_another_size_than_the_lens_are_refused():
    with pytest.raises(Refused, match="frames are 32x24, expected 64x48 as in camera_info") as caught:
        View(Lens((48, 64), (60.0, 60.0), (31.5, 23.5)), OPENING, 1.0)(np.zeros((24, 32, 3), np.uint8))
    assert caught.value.name == "camera_info_size"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"k": [0.0] * 9}, "never calibrated"),
        ({"d": [float("nan")] * 5}, "finite"),
        ({"d": [0.1] * 5, "distortion_model": "of_another_kind"}, "expected one of plumb_bob"),
        ({"d": [0.1] * 5, "distortion_model": "equidistant"}, "5 numbers of distortion, expected 4 for equidistant"),
        ({"k": [60.0, 0, 900.0, 0, 60.0, 20.0, 0, 0, 1.0]}, "beyond 64x48 pixels"),
    ],
)
def test_a_camera_info_that_makes_no_sense_is_refused(changes: dict, sentence: str):
    message = camera_info(64, 48, 60.0)
    for name, value in changes.items():
        setattr(message, name, value)
    with pytest.raises(MessageError, match=sentence):
        read_lens(message)
    reader, frame = FrameReader((16, 16), (48, 64), False, OPENING), Image()
    fill_image(frame, np.zeros((48, 64, 3), np.uint8))
    reader.look_through(message)
    with pytest.raises(Refused, match=sentence) as caught:
        reader.read(frame)
    assert caught.value.name == "camera_info_unreadable"
    reader.look_through(camera_info(64, 48, 60.0))
    assert reader.read(frame).shape == (16, 16, 3)
