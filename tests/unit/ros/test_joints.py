"""Joints are found by their names, in any order and among others; what is not whole is refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from robot_agent_ros.messages.error import MessageError
from robot_agent_ros.messages.joints import Joint, read_command, read_joints, read_some_joints
from robot_agent_ros.messages.stamps import fill_stamp, to_nanoseconds, to_seconds

NAMES = ("pan", "lift", "elbow")


def state(**fields: object) -> SimpleNamespace:
    whole = {
        "name": ["lift", "gripper", "pan", "elbow"],
        "position": [1.0, 9.0, 0.0, 2.0],
        "velocity": [],
        "effort": [],
    }
    return SimpleNamespace(**whole | fields)


def command(**fields: object) -> SimpleNamespace:
    point = SimpleNamespace(**{"positions": [2.0, 0.0, 1.0], "velocities": []} | fields.pop("point", {}))  # type: ignore[operator]
    return SimpleNamespace(**{"joint_names": ["elbow", "pan", "lift"], "points": [point]} | fields)


def test_joints_come_in_the_order_that_is_asked_for():
    joints = read_joints(state(velocity=[0.1, 0.9, 0.0, 0.2]), NAMES)
    np.testing.assert_array_equal(joints.position, [0, 1, 2])
    np.testing.assert_array_equal(joints.velocity, [0, 0.1, 0.2])
    assert joints.effort is None


@given(st.permutations(range(4)))
def test_the_order_in_the_message_is_of_no_account(order: list[int]):
    whole = state(effort=[10.0, 90.0, 0.0, 20.0])
    shuffled = SimpleNamespace(
        name=[whole.name[i] for i in order],
        position=[whole.position[i] for i in order],
        velocity=[],
        effort=[whole.effort[i] for i in order],
    )
    for field in ("position", "effort"):
        one, other = (getattr(read_joints(message, NAMES), field) for message in (whole, shuffled))
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": ["lift", "gripper", "pan", "wrist"]}, "joint 'elbow' is missing .* lift, gripper, pan, wrist"),
        ({"name": []}, "which has none"),
        ({"name": ["lift", "lift", "pan", "elbow"]}, "names 'lift' twice"),
        ({"position": []}, "no positions"),
        ({"position": [0.0, 1.0]}, "2 numbers of position for 4 joints"),
        ({"position": [1.0, 9.0, float("nan"), 2.0]}, "position of joint 'pan' is nan"),
        ({"velocity": [float("inf"), 0.0, 0.0, 0.0]}, "velocity of joint 'lift' is inf"),
        ({"position": [1.0, 9.0, 0.0, 1e308]}, r"position of joint 'elbow' is 1e\+308"),
        ({"effort": [0.0, 0.0, -1e30, 0.0]}, r"effort of joint 'pan' is -1e\+30"),
        ({"velocity": [0.0]}, "1 numbers of velocity for 4 joints"),
    ],
)
def test_states_that_are_not_whole_are_refused(fields: dict, sentence: str):
    with pytest.raises(MessageError, match=sentence):
        read_joints(state(**fields), NAMES)


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), 1e308])
def test_values_of_foreign_joints_are_ignored(broken: float):
    fields = {what: [1.0, broken, 0.0, 2.0] for what in ("position", "velocity", "effort")}
    joints = read_joints(state(**fields), NAMES)
    for values in joints:
        np.testing.assert_array_equal(values, [0, 1, 2])
    assert len(read_some_joints(state(name=["lift", "lift", "pan", "elbow"]), ["elbow", "pan"])) == 2


@pytest.mark.parametrize("marker", [[], [float("nan")] * 4])
def test_nan_and_an_empty_list_both_mean_not_measured(marker: list[float]):
    joints = read_joints(state(velocity=marker, effort=marker), NAMES)
    np.testing.assert_array_equal(joints.position, [0, 1, 2])
    assert joints.velocity is None
    assert joints.effort is None


def test_a_quantity_that_one_joint_lacks_is_missing_as_a_column():
    partly = state(velocity=[0.1, 0.9, float("nan"), 0.2])
    assert read_joints(partly, NAMES).velocity is None
    assert read_some_joints(partly, NAMES) == {
        "lift": Joint(1.0, 0.1, None),
        "pan": Joint(0.0, None, None),
        "elbow": Joint(2.0, 0.2, None),
    }


def test_a_message_with_some_of_the_joints_is_read():
    half = state(name=["pan", "gripper"], position=[0.5, 9.0])
    assert read_some_joints(half, NAMES) == {"pan": Joint(0.5, None, None)}
    assert read_some_joints(state(name=[], position=[]), NAMES) == {}


def test_a_command_is_read_by_name():
    np.testing.assert_array_equal(read_command(command(), NAMES), [0, 1, 2])
    fast = command(point={"velocities": [0.2, 0.0, 0.1]})
    np.testing.assert_array_equal(read_command(fast, NAMES, "velocities"), [0, 0.1, 0.2])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"joint_names": ["elbow", "pan"]}, "'lift' is missing in the command"),
        ({"joint_names": ["elbow", "pan", "lift", "jaw"]}, "names 'jaw', expected only pan, lift, elbow"),
        ({"points": []}, "0 points, expected one"),
        ({"points": [SimpleNamespace(positions=[0.0] * 3)] * 2}, "2 points, expected one"),
        ({"point": {"positions": []}}, "no positions"),
        ({"point": {"positions": [0.0, 0.0]}}, "2 numbers of positions for 3 joints"),
        ({"point": {"positions": [float("nan"), 0.0, 0.0]}}, "positions of joint 'elbow' is nan"),
    ],
)
def test_commands_that_are_not_whole_are_refused(fields: dict, sentence: str):
    with pytest.raises(MessageError, match=sentence):
        read_command(command(**fields), NAMES)


@given(st.integers(0, 2**31 * 10**9 - 1))
def test_stamps_are_exact(nanoseconds: int):
    stamp = SimpleNamespace()
    fill_stamp(stamp, nanoseconds)
    assert 0 <= stamp.nanosec < 10**9
    assert to_nanoseconds(stamp) == nanoseconds
    assert to_seconds(stamp) == pytest.approx(nanoseconds / 1e9)
