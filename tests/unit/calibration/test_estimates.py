"""Cameras and arms from corners whose truth is known: as near to it as they say, and refused where nothing is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from robot_agent_calibration.arm.chain import Chain, chain_of
from robot_agent_calibration.arm.fit import ArmFit, Free, fit_arm
from robot_agent_calibration.arm.hand_eye import check_motion, place_errors
from robot_agent_calibration.arm.joints import LEAST_BACKLASH, backlashes
from robot_agent_calibration.arm.mounting import Mounting, closed_form
from robot_agent_calibration.camera.calibrate import camera_lines
from robot_agent_calibration.camera.coverage import missing
from robot_agent_calibration.camera.intrinsics import fit_lens
from robot_agent_calibration.camera.lens import Lens
from robot_agent_calibration.camera.robust import fit_robustly
from robot_agent_calibration.camera.views import View, spread_out
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import angle_between, log
from robot_agent_calibration.recording import Board
from robot_agent_calibration.synthetic.rig import (
    Rig,
    arm_poses,
    arm_views,
    as_recorded,
    camera_views,
    random_lens,
    random_rig,
    wide_views,
)

NOISE = 0.1
FAR = 4.5
"""Standard errors that no estimate of a test is from its truth."""
BOARD = Board()


@pytest.fixture(scope="module")
def chain() -> Chain:
    return chain_of("so101")


def offsets_free(chain: Chain, ratios: bool = False) -> Free:
    offsets = np.ones(len(chain.names), bool)
    offsets[[0, -1]] = False
    return Free(offsets, np.full(len(chain.names), ratios))


# ---- cameras ----


@pytest.mark.parametrize("model", ["plumb_bob", "equidistant"])
def test_a_camera_is_found_as_exactly_as_it_says(model: str):
    rng = np.random.default_rng(5)
    lens = random_lens(rng, model)
    views, poses = camera_views(rng, lens, BOARD, 25, NOISE)
    fit = fit_lens(views, BOARD, lens.size, model)
    errors = np.sqrt(np.diag(fit.covariance))
    assert (np.abs(fit.lens.parameters - lens.parameters) < FAR * errors).all()
    assert errors[:2].max() < 0.001 * lens.parameters[0]
    assert fit.noise == pytest.approx(NOISE, rel=0.1)
    twists = log(np.array(poses) @ np.linalg.inv(fit.transforms_board_to_camera))
    assert (np.abs(twists) < 6 * np.sqrt(np.diagonal(fit.pose_covariances, axis1=1, axis2=2))).all()


@pytest.mark.parametrize("degrees_across", [120, 190, 220])
def test_corners_that_a_fisheye_sees_too_far_aside_are_left_out(degrees_across: float):
    focal = 640 / np.radians(degrees_across)
    lens = Lens("equidistant", np.array([focal, focal, 322, 238, 0.02, -0.005, 0.001, -0.0005]), (640, 480))
    views = wide_views(np.random.default_rng(7), lens, BOARD, 30, NOISE)
    robust = fit_robustly(views, BOARD, lens.size, "equidistant", least=8)
    assert (robust.corners_too_wide > 0) == (degrees_across > 180)
    assert not robust.outliers
    errors = np.sqrt(np.diag(robust.fit.covariance))
    assert (np.abs(robust.fit.lens.parameters - lens.parameters) < FAR * errors).all()
    assert errors[0] < 0.002 * focal
    said = any("corners more than 80° off the axis" in line for line in camera_lines(robust))
    assert said == (degrees_across > 180)


def test_views_that_are_of_something_else_are_named_and_single_corners_left_out():
    rng = np.random.default_rng(6)
    lens = random_lens(rng)
    views, _ = camera_views(rng, lens, BOARD, 20, NOISE)
    bent = views[3].pixels + rng.normal(0, 3, views[3].pixels.shape)
    views[3] = replace(views[3], pixels=bent)
    moved = views[7].pixels.copy()
    moved[0] += 4
    views[7] = replace(views[7], pixels=moved)
    robust = fit_robustly(views, BOARD, lens.size, "plumb_bob", least=8)
    assert list(robust.outliers) == ["3"]
    assert 1 <= robust.corners_dropped <= 3
    errors = np.sqrt(np.diag(robust.fit.covariance))
    assert (np.abs(robust.fit.lens.parameters - lens.parameters) < FAR * errors).all()


def test_what_was_not_seen_is_asked_for():
    rng = np.random.default_rng(7)
    lens = random_lens(rng)
    views, poses = camera_views(rng, lens, BOARD, 60, NOISE)
    assert not missing(fit_lens(views, BOARD, lens.size, "plumb_bob"))
    # Only boards on the left, none with its left edge farther away.
    left = [
        View(view.name, view.ids[keep], view.pixels[keep])
        for view, pose in zip(views, poses, strict=True)
        if pose[0, 2] < 0 and (keep := view.pixels[:, 0] < 0.6 * lens.size[0]).sum() > 10
    ]
    wishes = " ".join(missing(fit_lens(left, BOARD, lens.size, "plumb_bob")))
    assert "middle right" in wishes
    assert "its left edge farther away (0 views)" in wishes
    assert "right edge farther" not in wishes


def test_views_that_are_all_alike_are_refused():
    rng = np.random.default_rng(8)
    lens = random_lens(rng)
    (view,), _ = camera_views(rng, lens, BOARD, 1, NOISE)
    with pytest.raises(CalibrationError, match="views"):
        fit_lens([view] * 2, BOARD, lens.size, "rational_polynomial")


@pytest.mark.parametrize(
    ("ids", "enough"),
    [([0, 1, 2, 3, 4, 5], False), ([0, 1, 2, 3, 4, 7], False), ([0, 1, 2, 3, 7, 8], True), ([0, 1, 7, 8], False)],
)
def test_a_line_of_corners_and_one_more_are_no_view(ids: list[int], enough: bool):
    assert spread_out(np.array(ids), columns=7) == enough


# ---- arms ----


def observed(rng: np.random.Generator, rig: Rig, views: int) -> tuple[ArmFit, dict[str, Mounting]]:
    seen, recorded = arm_views(rng, rig, arm_poses(rng, rig, views), NOISE)
    camera = fit_lens(seen, rig.board, rig.lens.size, rig.lens.model)
    hands = rig.chain.transform_hand_to_base(recorded)
    forms = {
        method: closed_form(hands, camera.transforms_board_to_camera, rig.in_hand, method)
        for method in ("PARK", "DANIILIDIS")
    }
    ratios = bool((rig.encoders.ratios != 1).any())
    return fit_arm(camera, recorded, rig.chain, rig.board, forms["PARK"], offsets_free(rig.chain, ratios)), forms


@pytest.mark.parametrize("in_hand", [True, False])
@pytest.mark.parametrize("ratios", [False, True])
def test_an_arm_is_found_as_exactly_as_it_says(in_hand: bool, ratios: bool, chain: Chain):
    rng = np.random.default_rng(10 + ratios)
    rig = random_rig(rng, chain, in_hand)
    if not ratios:
        rig = replace(rig, encoders=replace(rig.encoders, ratios=np.ones(5)))
    fit, forms = observed(rng, rig, 40)
    truth, found = as_recorded(rig).transform_camera_to_mount, fit.body.mounting.transform_camera_to_mount
    assert (np.abs((found - truth)[:3, 3]) < FAR * place_errors(found, fit.covariance)).all()
    assert (np.abs(log(np.linalg.inv(truth) @ found)[:3]) < FAR * fit.errors[:3]).all()
    assert (np.abs(fit.body.offsets - rig.encoders.offsets)[1:4] < FAR * fit.errors[12:15]).all()
    if ratios:
        assert (np.abs(fit.body.ratios - rig.encoders.ratios) < FAR * fit.ratio_errors).all()
    # Backlash of ± 0.5° is uniform: 0.29° of standard deviation.
    assert np.degrees(fit.play.joints.mean()) == pytest.approx(0.29, abs=0.06)
    for backlash in backlashes(fit):
        assert abs(np.log(backlash.value / np.radians(1.0))) < FAR * backlash.standard_error / backlash.value
    assert fit.play.slack < 2e-4
    best = min(angle_between(form.transform_camera_to_mount, truth) for form in forms.values())
    assert angle_between(found, truth) < best


@pytest.mark.parametrize("exact", range(5))
def test_a_joint_without_backlash_among_others_is_given_none(exact: int, chain: Chain):
    rng = np.random.default_rng(30 + exact)
    rig = random_rig(rng, chain, in_hand=bool(exact % 2))
    backlash = np.where(np.arange(5) == exact, 0.0, np.radians(1.0))
    rig = replace(rig, encoders=replace(rig.encoders, ratios=np.ones(5), backlash=backlash))
    found = backlashes(observed(rng, rig, 40)[0])
    assert found[exact].interval_95[0] < LEAST_BACKLASH
    assert found[exact].interval_95[1] < np.radians(1.0)
    for estimate in found[:exact] + found[exact + 1 :]:
        assert LEAST_BACKLASH < estimate.interval_95[0] < np.radians(1.0) * 1.3
        assert np.radians(1.0) / 1.3 < estimate.interval_95[1] < np.radians(2.5)


def test_an_arm_with_exact_joints_is_found_exactly(chain: Chain):
    rng = np.random.default_rng(20)
    rig = random_rig(rng, chain, True, zero_error=0)
    rig = replace(rig, encoders=replace(rig.encoders, ratios=np.ones(5), backlash=0, steps=10**9))
    fit, _ = observed(rng, rig, 25)
    away = fit.body.mounting.transform_camera_to_mount - rig.transform_camera_to_mount
    assert np.linalg.norm(away[:3, 3]) < 2e-4


def test_a_board_of_another_size_is_seen_by_the_arm(chain: Chain):
    rng = np.random.default_rng(21)
    rig = random_rig(rng, chain, True)
    seen, recorded = arm_views(rng, rig, arm_poses(rng, rig, 30), NOISE)
    wrong = replace(rig.board, square=1.1 * rig.board.square)
    camera = fit_lens(seen, wrong, rig.lens.size, "plumb_bob")
    hands = chain.transform_hand_to_base(recorded)
    start = closed_form(hands, camera.transforms_board_to_camera, True, "PARK")
    size, error = fit_arm(camera, recorded, chain, wrong, start, offsets_free(chain)).log_scale
    assert size == pytest.approx(-np.log(1.1), abs=0.03)
    assert abs(size) > 5 * error


def test_a_hand_that_turns_about_one_axis_only_is_refused_with_what_to_move(chain: Chain):
    rng = np.random.default_rng(22)
    angles = np.zeros((20, 5))
    angles[:, 1:4] = rng.uniform(-0.5, 0.5, (20, 3))  # three joints with one axis
    with pytest.raises(CalibrationError, match=r"nearly parallel axes .* also turn shoulder_pan and wrist_roll"):
        check_motion(chain, angles)
    with pytest.raises(CalibrationError, match="turned by only"):
        check_motion(chain, angles * 0.01)
    angles[:, 4] = rng.uniform(-0.5, 0.5, 20)
    check_motion(chain, angles)


def test_zeros_of_the_first_and_last_joint_are_one_with_the_mounting(chain: Chain):
    rng = np.random.default_rng(23)
    rig = random_rig(rng, chain, True)
    angles = arm_poses(rng, rig, 5)
    outer = np.zeros(5)
    outer[[0, 4]] = rig.encoders.offsets[[0, 4]]
    as_seen = as_recorded(rig)
    moved = replace(
        rig,
        transform_camera_to_mount=as_seen.transform_camera_to_mount,
        transform_board_to_other=as_seen.transform_board_to_other,
    )
    np.testing.assert_allclose(
        moved.transform_board_to_camera(angles - outer), rig.transform_board_to_camera(angles), atol=1e-9
    )
