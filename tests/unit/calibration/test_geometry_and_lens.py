"""Transforms and lenses: group axioms, derivatives against differences, and OpenCV's own projection."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from robot_agent_calibration.arm.chain import chain_of
from robot_agent_calibration.camera.lens import DISTORTION, Lens
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import adjoint, exp, inverse, log, small_adjoint
from robot_agent_calibration.synthetic.rig import random_lens

TWISTS = st.lists(st.floats(-1.5, 1.5), min_size=6, max_size=6).map(np.array)


@given(TWISTS)
def test_log_undoes_exp(twist: np.ndarray):
    np.testing.assert_allclose(log(exp(twist)), twist, atol=1e-7)
    np.testing.assert_allclose(inverse(exp(twist)) @ exp(twist), np.eye(4), atol=1e-12)


@given(TWISTS, TWISTS)
def test_the_adjoint_moves_a_twist_through_a_transform(a: np.ndarray, b: np.ndarray):
    transform = exp(a)
    np.testing.assert_allclose(transform @ exp(b) @ inverse(transform), exp(adjoint(transform) @ b), atol=1e-9)
    nearly = np.eye(6) + small_adjoint(1e-4 * a)
    np.testing.assert_allclose(adjoint(exp(1e-4 * a)), nearly, atol=1e-6)


def lens_of(model: str, seed: int = 0) -> Lens:
    lens = random_lens(np.random.default_rng(seed), model)
    if model == "rational_polynomial":
        lens.parameters[-3:] = 0.02, 0.01, -0.004
    return lens


@pytest.mark.parametrize("model", DISTORTION)
def test_derivatives_of_a_projection(model: str):
    lens = lens_of(model)
    points = np.random.default_rng(1).uniform(-0.5, 0.5, (6, 3)) + np.array([0, 0, 1])
    _, by_point, by_lens = lens.project_with_derivatives(points)
    step = 1e-6
    for axis in range(3):
        away = step * np.eye(3)[axis]
        difference = (lens.project(points + away) - lens.project(points - away)) / (2 * step)
        np.testing.assert_allclose(by_point[..., axis], difference, rtol=1e-5, atol=1e-4)
    for index in range(len(lens.parameters)):
        away = step * np.eye(len(lens.parameters))[index]
        ahead, behind = (replace(lens, parameters=lens.parameters + sign * away) for sign in (1, -1))
        difference = (ahead.project(points) - behind.project(points)) / (2 * step)
        np.testing.assert_allclose(by_lens[..., index], difference, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("model", DISTORTION)
def test_rays_undo_the_projection(model: str):
    lens = lens_of(model, 2)
    pixels = np.random.default_rng(2).uniform(0, 1, (50, 2)) * lens.size
    np.testing.assert_allclose(lens.project(np.column_stack([lens.rays(pixels), np.ones(50)])), pixels, atol=1e-6)


@pytest.mark.parametrize("model", DISTORTION)
def test_opencv_projects_alike(model: str):
    lens = lens_of(model, 3)
    points = np.random.default_rng(3).uniform(-0.5, 0.5, (8, 1, 3)) + np.array([0, 0, 1])
    project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    zero = np.zeros(3)
    theirs, _ = project(points, zero, zero, lens.matrix, lens.distortion)
    np.testing.assert_allclose(lens.project(points[:, 0]), theirs[:, 0], atol=1e-8)


def test_a_chain_says_where_mujoco_puts_the_hand():
    import mujoco
    from robot_agent_sim.so101.arm import arm_spec

    model = arm_spec().compile()
    data = mujoco.MjData(model)
    chain = chain_of("so101")
    rng = np.random.default_rng(0)
    for _ in range(5):
        data.qpos[: len(chain.names)] = rng.uniform(*chain.ranges.T)
        mujoco.mj_kinematics(model, data)
        ours = chain.transform_hand_to_base(data.qpos[None, : len(chain.names)])[0]
        np.testing.assert_allclose(ours[:3, 3], data.body("gripper").xpos, atol=1e-9)
        np.testing.assert_allclose(ours[:3, :3].ravel(), data.body("gripper").xmat, atol=1e-9)


@pytest.mark.parametrize(
    ("robot", "hand", "sentence"),
    [
        ("so102", "gripper", "there is no model"),
        ("so101", "tool", "no body 'tool'"),
        ("so101", "base", "no joint lies"),
    ],
)
def test_a_chain_that_there_is_not(robot: str, hand: str, sentence: str):
    with pytest.raises(CalibrationError, match=sentence):
        chain_of(robot, hand)
