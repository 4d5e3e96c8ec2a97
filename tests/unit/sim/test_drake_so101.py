"""The arm in Drake: its servos do what their parameters say, and it differs from ours as far as it is told to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from robot_agent_sim.so101.arm import HOME

pytest.importorskip("pydrake", reason="Drake is missing: pip install 'drake>=1.51,<2'")

from robot_agent_sim.realities.drake_so101 import DrakeArm, DrakeBody, DrakeReach, DrakeServo


def swung(body: DrakeBody, seconds: float = 0.3) -> np.ndarray:
    """Joint positions every 20 ms after the first joint was commanded by 0.3 rad."""
    arm = DrakeArm(body)
    arm.put(np.array(HOME))
    told, seen = np.add(HOME, (0.3, 0, 0, 0, 0, 0)), []
    for _ in range(round(seconds / 0.02)):
        arm.move(told, 0.02)
        seen.append(arm.positions())
    return np.array(seen)


def test_the_same_commands_give_the_same_motion() -> None:
    assert np.array_equal(swung(DrakeBody()), swung(DrakeBody()))


def test_a_delay_moves_the_motion_by_as_much() -> None:
    prompt, late = swung(DrakeBody()), swung(DrakeBody(delay=0.04))
    assert np.allclose(late[2:, 0], prompt[:-2, 0], atol=1e-3)
    assert abs(late[0, 0]) < 1e-3


def test_an_unloaded_servo_ends_at_no_load_speed() -> None:
    servo = DrakeServo()
    assert servo.torque(1.0, 0.0) == servo.stall_torque
    assert servo.torque(1.0, servo.no_load_speed) == pytest.approx(0.0)
    assert servo.torque(-1.0, -servo.no_load_speed) == pytest.approx(0.0)
    assert replace(servo, dead_zone=0.1).torque(0.1, 0.0) == 0.0


def test_friction_sticks_more_than_it_slides_and_opposes_motion() -> None:
    servo = DrakeServo(friction=0.1, stiction=1.5)
    assert servo.rub(0.0) == 0.0
    assert servo.rub(-2.0) == pytest.approx(-servo.rub(2.0))
    assert servo.rub(2.0) == pytest.approx(0.1, rel=1e-3)
    assert servo.rub(0.05) > 0.1


def test_a_heavier_arm_sags_more() -> None:
    def sag(factor: float) -> float:
        arm = DrakeArm(DrakeBody(masses=dict.fromkeys(("lower_arm_link", "wrist_link", "gripper_link"), factor)))
        arm.put(np.array(HOME))
        arm.move(np.array(HOME), 1.0)
        return float(np.abs(arm.positions() - HOME).max())

    assert sag(2.0) > 1.3 * sag(1.0)


def test_it_has_no_camera_and_says_so() -> None:
    with pytest.raises(ValueError, match="no camera: ask for the stream proprio alone"):
        DrakeReach(streams=("camera", "proprio"))
    blind = DrakeReach(streams=("proprio",))
    assert blind.render_mode is None
    with pytest.raises(ValueError, match="no pictures"):
        blind.render()
