"""A gate that dies and is started again under a robot whose servos sag from what they are sent."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
import rclpy
from robot_agent_ros.graph import GATE

from tests.ros_graph import Processes, alone
from tests.ros_robot import GATE_PARAMETERS, JOINTS, PlayedRobot

SAG = 0.06


class SaggingRobot(PlayedRobot):
    def _publish_joints(self) -> None:
        self.publish_joints(JOINTS, [position - SAG for position in self.position])


def test_a_servo_that_sags_makes_no_gate_begin_lower_than_the_one_before(tmp_path: Path):
    os.environ.update(alone())
    rclpy.init()
    try:
        with Processes(tmp_path) as processes, SaggingRobot() as robot:
            processes.start_node(GATE, GATE_PARAMETERS)
            robot.wait_for("holding", 40)
            robot.follow(1.5, [0.5, 0.3])
            robot.wait_for("holding")
            time.sleep(0.5)
            held = robot.position
            assert held == pytest.approx([0.5, 0.3], abs=1e-3)
            for ending in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
                processes.stop(GATE.name, ending)
                before = len(robot.outputs)
                processes.start_node(GATE, GATE_PARAMETERS)
                robot.wait(lambda before=before: len(robot.outputs) > before + 20, 40)
                assert all(output == held for _, output in robot.outputs[before:])
    finally:
        rclpy.try_shutdown()
