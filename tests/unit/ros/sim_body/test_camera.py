"""The camera's calibration is that of its pictures, and its noise is as large as asked."""

from __future__ import annotations

import time

import mujoco
import numpy as np
import pytest
from robot_agent_ros.sim_body import camera
from robot_agent_ros.sim_body.camera import Noise, camera_info
from robot_agent_ros.sim_body.worlds import live_world


def test_a_ball_is_seen_where_the_calibration_says():
    world = live_world("servo-arm/reach", 0.005, 0)
    size = (480, 640)
    info = camera_info(640, 480, world.focal_length("overhead", 480))
    model, data = world.world.model, world.world.data
    for _ in range(3):
        world.new_goal()
        mujoco.mj_camlight(model, data)
        picture = world.show(world.snapshot(), "overhead", size).astype(int)
        red = (picture[:, :, 0] > 120) & (picture[:, :, 1:].max(axis=2) < 0.4 * picture[:, :, 0])
        row, column = (axis.mean() for axis in np.nonzero(red))
        rotation = data.cam("overhead").xmat.reshape(3, 3)
        x, y, z = rotation.T @ (data.mocap_pos[0] - data.cam("overhead").xpos)
        x, y, z = x, -y, -z  # to the optical frame: x right, y down, z forward
        image = np.array(info.k).reshape(3, 3) @ (x, y, z) / z
        assert image[:2] == pytest.approx((column, row), abs=4)
    world.world.close()


def test_noise_is_as_large_as_asked_and_new_each_time():
    noise = Noise(48 * 64 * 3, 0)
    grey = np.full((48, 64, 3), 128, np.uint8)
    one, other = noise.add(grey, 8.0), noise.add(grey, 8.0)
    assert one.std() == pytest.approx(8.0, rel=0.05)
    assert one.dtype == np.uint8
    assert not np.array_equal(one, other)


def test_a_camera_that_never_works_is_tried_less_and_less_often(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(camera, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(camera.sys, "executable", "false")
    task = camera.CameraTask("servo-arm/reach", "overhead", 0.005, 64, 48, "", 0, "", "image", "info")
    process, started = camera.CameraProcess(task), []
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        process.expose(1, np.zeros(3), 0.0)
        process.hear()
        if process.revive():
            started.append(time.monotonic())
        time.sleep(0.002)
    assert process.status == 1
    assert 3 <= process.restarts == len(started) <= 5
    assert np.all(np.diff(np.diff(started)) > 0)
    process.close()
