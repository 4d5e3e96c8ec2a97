"""The camera's calibration is that of its pictures, and its noise is as large as asked."""

from __future__ import annotations

import socket
import time

import mujoco
import numpy as np
import pytest
from robot_agent_ros.sim_body import camera
from robot_agent_ros.sim_body.camera import Noise, camera_info
from robot_agent_ros.sim_body.worlds import live_world

TASK = camera.CameraTask("servo-arm/reach", "overhead", 0.005, 64, 48, "", 0, "", "image", "info")


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
    process, started = camera.CameraProcess(TASK), []
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        process.expose(1, np.zeros(3), 0.0)
        process.hear()
        if process.revive():
            started.append(time.monotonic())
        time.sleep(0.002)
    assert process.status == 1
    assert 1 <= process.restarts == len(started) <= 5  # 5 if the machine never stands still
    assert process._backoff.pause() == pytest.approx(0.05 * 2 ** (process.restarts + 1), rel=0.51)
    process.close()


def test_what_a_camera_said_before_it_ended_says_nothing_of_the_next(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(camera, "FIRST_PAUSE", 60.0)
    process = camera.CameraProcess(TASK)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process._socket.close()
    process._socket = ours
    theirs.send(camera._PUBLISHED.pack(camera._READY, 0, 0.0))
    theirs.close()
    process.process.kill()
    process.process.wait()
    assert not process.revive()
    process.hear()
    assert (process.ready, process.status) == (False, -9)
    process.close()


def test_a_camera_that_the_system_will_not_start_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(camera, "FIRST_PAUSE", 0.0)
    process = camera.CameraProcess(TASK)
    process.process.kill()
    process.process.wait()
    start = camera.subprocess.Popen

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no memory")

    monkeypatch.setattr(camera.subprocess, "Popen", refuse)
    assert not process.revive()
    assert (process.restarts, process.status) == (0, -9)
    monkeypatch.setattr(camera.subprocess, "Popen", start)
    assert process.revive()
    process.close()
