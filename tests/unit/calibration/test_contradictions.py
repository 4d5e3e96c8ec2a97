"""What is declared of an arm and its board against what the data say: corrected, widened and said, or refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from robot_agent_calibration.arm import hand_eye, joints
from robot_agent_calibration.arm.chain import Chain, chain_of
from robot_agent_calibration.arm.joint_angles import joint_angles
from robot_agent_calibration.arm.observed import observed_views
from robot_agent_calibration.arm.result import ArmResult
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array, log
from robot_agent_calibration.recording import Samples
from robot_agent_calibration.synthetic.rig import Rig, arm_poses, arm_views, as_recorded, random_rig, standing

NOISE = 0.1
FAR = 4.5
"""Standard errors that no estimate of a test is from its truth."""
VIEWS = 36
ELBOW = 2
Spoil = Callable[[Array], Array]
"""Of recorded angles (n, j)."""


@pytest.fixture(scope="module")
def chain() -> Chain:
    return chain_of("so101")


def as_it_is(recorded: Array) -> Array:
    return recorded


def measured(
    rig: Rig,
    seed: int = 0,
    spoil: Spoil = as_it_is,
    angles: Array | None = None,
    size: float = 1.0,
    turned: int = 0,
    ratios: bool = True,
    camera_at: str | None = None,
) -> ArmResult:
    """A calibration of the joints (or of the camera alone, without `ratios`) as the commands do it."""
    rng = np.random.default_rng(seed)
    if angles is None:
        angles = arm_poses(rng, rig, VIEWS)
    views, recorded = arm_views(rng, rig, angles, NOISE)
    upside_down = np.array(rig.lens.size) - 1.0
    views[:turned] = [replace(view, pixels=upside_down - view.pixels) for view in views[:turned]]
    board = replace(rig.board, square=size * rig.board.square, marker=size * rig.board.marker)
    samples = joint_angles(standing(views, rig.chain, spoil(recorded)), rig.chain)
    observed = observed_views(views, rig.lens.size, samples, board, "plumb_bob", 12)
    config = hand_eye.ArmConfig(camera_at=camera_at or ("hand" if rig.in_hand else "base"))  # type: ignore[arg-type]
    told = joints.told_ratios(observed, rig.chain) & ratios
    return hand_eye.solve(observed, config, rig.chain, told)


def rig_of(chain: Chain, in_hand: bool, seed: int = 1, ratios: bool = True) -> Rig:
    rig = random_rig(np.random.default_rng(seed), chain, in_hand)
    return rig if ratios else replace(rig, encoders=replace(rig.encoders, ratios=np.ones(len(chain.names))))


def check_truth(result: ArmResult, rig: Rig) -> None:
    """Every number that is given is as near to the truth as its interval says."""
    fit, truth = result.fit, as_recorded(rig).transform_camera_to_mount
    found = fit.body.mounting.transform_camera_to_mount
    assert (np.abs((found - truth)[:3, 3]) < FAR * hand_eye.place_errors(found, fit.covariance)).all()
    assert (np.abs(log(np.linalg.inv(truth) @ found)[:3]) < FAR * fit.errors[:3]).all()
    for index, (name, own) in enumerate(joints.joint_estimates(result).items()):
        for what, true in (("offset", rig.encoders.offsets), ("ratio", rig.encoders.ratios)):
            if what in own:
                away = abs(own[what].value - true[index])
                assert away < FAR * own[what].standard_error, f"{what} of {name}"


@pytest.mark.parametrize("in_hand", [True, False])
def test_a_recording_without_a_fault_brings_no_warning(in_hand: bool, chain: Chain):
    rig = rig_of(chain, in_hand)
    result = measured(rig)
    check_truth(result, rig)
    assert not result.warnings
    assert not result.unusual


@pytest.mark.parametrize(
    ("percent", "in_hand", "ratios"), [(2, True, True), (-2, True, False), (2, False, False), (-2, False, True)]
)
def test_squares_of_a_wrong_size_are_measured_and_said(percent: int, in_hand: bool, ratios: bool, chain: Chain):
    rig = rig_of(chain, in_hand, ratios=ratios)
    result = measured(rig, size=1 + percent / 100, ratios=ratios)
    check_truth(result, rig)
    size, error = result.fit.log_scale
    assert abs(size + np.log(1 + percent / 100)) < FAR * error
    assert len(result.warnings) == 1
    assert f"a square of the board is {1e3 * rig.board.square:.0f}"[:-1] in result.warnings[0]
    assert "measure the board again" in result.warnings[0]
    section = hand_eye.hand_eye_section(result, hand_eye.ArmConfig())
    assert section["board_size"]["interval_95"][0] < 1 / (1 + percent / 100) < section["board_size"]["interval_95"][1]


@pytest.mark.parametrize("joint", [1, ELBOW, 4])
def test_an_encoder_that_wraps_is_unwrapped(joint: int, chain: Chain):
    def wrapped(recorded: Array) -> Array:
        at = np.quantile(recorded[:, joint], 0.4)
        own = recorded.copy()
        own[:, joint] += 2 * np.pi * (own[:, joint] > at)
        return own

    rig = rig_of(chain, True)
    result = measured(rig, spoil=wrapped)
    check_truth(result, rig)
    assert not result.warnings


@pytest.mark.parametrize(
    ("joint", "in_hand"), [(0, True), (1, False), (2, True), (3, False), (4, True), (0, False), (4, False)]
)
def test_a_joint_that_never_moved_gets_no_zero(joint: int, in_hand: bool, chain: Chain):
    rng, rig = np.random.default_rng(3), rig_of(chain, in_hand)
    ranges = chain.ranges.copy()
    ranges[joint] = arm_poses(rng, rig, 1, share=1.0)[0, joint] / 0.95  # poses keep to 0.95 of the ranges
    still = replace(rig, chain=replace(chain, ranges=ranges))
    result = measured(rig, angles=arm_poses(rng, still, VIEWS, share=0.4))
    name = chain.names[joint]
    assert not joints.joint_estimates(result)[name]
    why = joints.undetermined(result)
    assert "offset" in " ".join(what for what in why if what.startswith(name))
    assert "the joint moved by only" in why[f"{name}.ratio"]
    # The camera's pose has in it what nobody can tell from it, so that the other zeros are compared alone.
    found = result.fit.body
    for index in np.flatnonzero(result.known_offsets):
        away = abs(found.offsets[index] - rig.encoders.offsets[index])
        assert away < FAR * result.fit.offset_errors[index], chain.names[index]


@pytest.mark.parametrize(
    ("kind", "joint"), [("slip", ELBOW), ("slip", 0), ("bend", ELBOW), ("bend", 1), ("ratio", ELBOW), ("ratio", 3)]
)
def test_joints_that_are_not_as_they_are_taken_for_are_named_and_widen_the_intervals(
    kind: str, joint: int, chain: Chain
):
    def spoilt(recorded: Array) -> Array:
        own = recorded.copy()
        along = 2 * (own[:, joint] - own[:, joint].min()) / np.ptp(own[:, joint]) - 1
        own[:, joint] += {
            "slip": np.radians(2) * (np.arange(len(own)) >= len(own) / 2),
            "bend": np.radians(3) * along**2,
            "ratio": 0.03 * own[:, joint],
        }[kind]
        return own

    rig = rig_of(chain, True, ratios=False)
    result = measured(rig, spoil=spoilt, ratios=kind != "ratio")
    assert any(warning.startswith(f"{chain.names[joint]}: ") for warning in result.warnings)
    assert {one.kind for one in result.fit.contradicted if one.joint == joint} >= {kind}
    found, truth = result.fit.body.mounting.transform_camera_to_mount, as_recorded(rig).transform_camera_to_mount
    assert (np.abs((found - truth)[:3, 3]) < FAR * hand_eye.place_errors(found, result.fit.covariance)).all()
    assert "backlash" not in joints.joint_estimates(result)[chain.names[joint]]


def reversed_elbow(recorded: Array) -> Array:
    return recorded * np.where(np.arange(5) == ELBOW, -1, 1)


def reversed_two(recorded: Array) -> Array:
    return recorded * np.array([1, -1, 1, 1, -1])


def half(recorded: Array) -> Array:
    return recorded / 2


def half_of_one(recorded: Array) -> Array:
    return recorded * np.array([1, 1, 1, 0.5, 1])


def degrees(recorded: Array) -> Array:
    return np.degrees(recorded)


def encoder_steps(recorded: Array) -> Array:
    return 2048 + recorded / (2 * np.pi) * 4096


@pytest.mark.parametrize("in_hand", [True, False])
@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (reversed_elbow, "elbow_flex looks reversed: record the angle with the sign of the model"),
        (reversed_two, "shoulder_lift and wrist_roll looks reversed"),
        (half, "all joint angles look like half of what they are"),
        (half_of_one, "wrist_flex looks recorded with half its angle"),
        (degrees, "they look like degrees, record rad"),
        (encoder_steps, "they are no angles in rad, record rad"),
    ],
)
def test_misread_joints_are_refused_with_what_they_look_like(spoil: Spoil, sentence: str, in_hand: bool, chain: Chain):
    with pytest.raises(CalibrationError, match=sentence):
        measured(rig_of(chain, in_hand), spoil=spoil)


@pytest.mark.parametrize("in_hand", [True, False])
def test_misread_views_are_refused_with_what_they_look_like(in_hand: bool, chain: Chain):
    rig, other = rig_of(chain, in_hand), "base" if in_hand else "hand"
    with pytest.raises(CalibrationError, match="the board looks half as large"):
        measured(rig, size=2.0)
    with pytest.raises(CalibrationError, match=f"give --camera-at {'hand' if in_hand else 'base'}"):
        measured(rig, camera_at=other)
    with pytest.raises(CalibrationError, match="12 views look turned, such as 0 by 180°"):
        measured(rig, turned=12)
    one = measured(rig, turned=1)
    check_truth(one, rig)
    assert one.unusual == {"0": "looks turned by 180°"}


def test_a_chain_of_joints_without_limits_is_unwrapped_by_the_stream(chain: Chain):
    free = replace(chain, ranges=np.tile([-np.pi, np.pi], (5, 1)))
    stamps = np.arange(0, 10, 0.02)
    true = np.stack([3.5 * np.sin(stamps), *[np.zeros(len(stamps))] * 4], axis=1)
    wrapped = (true + np.pi) % (2 * np.pi) - np.pi
    dense = joint_angles(Samples(chain.names, stamps, wrapped), free)
    np.testing.assert_allclose(dense.samples.values, true, atol=1e-9)
    assert not dense.ambiguous
    rare = joint_angles(Samples(chain.names, stamps[::40], wrapped[::40]), free)
    assert rare.ambiguous == {chain.names[0]}


def test_a_range_tells_in_which_turn_a_joint_was(chain: Chain):
    stamps = np.arange(40.0)
    true = np.random.default_rng(0).uniform(*chain.ranges.T, (40, 5))
    turns = 2 * np.pi * np.random.default_rng(1).integers(0, 2, true.shape)
    found = joint_angles(Samples(chain.names, stamps, true + turns), chain)
    np.testing.assert_allclose(found.samples.values, true, atol=1e-9)
    assert not found.ambiguous
