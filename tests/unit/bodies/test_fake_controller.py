"""The fake joint_trajectory_controller has the rules of a stock one."""

from __future__ import annotations

import pytest
from robot_agent_bodies.fake_controller import FakeJointTrajectoryController

NOW = 10**18
S = 10**9


@pytest.mark.parametrize(
    ("stamp", "points", "reason"),
    [
        (0, [], "no points"),
        (0, [(S, [1.0, 2.0], [])], "not one number for each joint"),
        (0, [(S, [1.0], [0.0, 0.0])], "not one number for each joint"),
        (0, [(S, [float("nan")], [])], "not finite"),
        (0, [(S, [1.0], [0.1])], "the last velocity is not zero"),
        (0, [(S, [1.0], [0.1]), (S, [2.0], [0.0])], "times do not increase"),
        (0, [(-1, [1.0], [0.1]), (S, [2.0], [0.0])], "times do not increase"),
        (NOW - 1, [(S, [1.0], [0.0])], "the stamp is in the past"),
    ],
)
def test_what_a_stock_controller_refuses_changes_nothing(stamp: int, points: list, reason: str):
    controller = FakeJointTrajectoryController([0.0], NOW)
    assert controller.receive(stamp, points, NOW) == reason
    assert controller.refused == [reason]
    assert controller.at(NOW + 2 * S)[0] == (0.0, 0.0, 0.0)


def test_it_goes_straight_to_a_point_without_a_velocity_and_stays_there():
    controller = FakeJointTrajectoryController([0.0], NOW)
    assert controller.receive(0, [(S, [2.0], [])], NOW) == ""
    assert controller.at(NOW + S // 2)[0] == pytest.approx((1.0, 2.0, 0.0))
    assert controller.at(NOW + S)[0] == (2.0, 0.0, 0.0)


def test_it_goes_along_a_cubic_between_velocities_from_what_it_wants_when_a_trajectory_comes():
    controller = FakeJointTrajectoryController([0.0], NOW)
    controller.receive(0, [(S, [1.0], [0.0])], NOW)
    half = NOW + S // 2
    assert controller.at(half)[0] == pytest.approx((0.5, 1.5, 0.0))
    assert controller.receive(half + S, [(0, [0.5], [0.0])], half) == ""  # it begins later: the cubic leads there
    assert controller.at(half)[0] == pytest.approx((0.5, 1.5, -6.0))
    assert controller.at(half + S)[0] == (0.5, 0.0, 0.0)


def test_corners_hold_the_extremes_of_velocity_and_acceleration():
    controller = FakeJointTrajectoryController([0.0], NOW)
    controller.receive(0, [(S, [1.0], [0.0])], NOW)
    states = [joints[0] for joints in controller.corners(NOW + 2 * S)]
    assert max(state.velocity for state in states) == pytest.approx(1.5)
    assert max(abs(state.acceleration) for state in states) == pytest.approx(6.0)
    assert states[-1] == (1.0, 0.0, 0.0)
