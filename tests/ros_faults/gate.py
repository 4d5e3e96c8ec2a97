"""Faults around the gate: joint states as other robots publish them, and others who speak."""

from __future__ import annotations

import pytest
from robot_agent_ros.graph import GATE

from tests.ros_faults.robot import JudgedRobot
from tests.ros_faults.scenario import Outcome, Scenario, Stage
from tests.ros_robot import GATE_PARAMETERS


def no_fault(stage: Stage) -> Outcome:
    """The robot is held where it is, and follows commands: what the faults are compared with."""
    stage.processes.start_node(GATE, GATE_PARAMETERS)
    with JudgedRobot() as robot:
        robot.wait_for("holding", 40)
        robot.follow(1.5, [0.5, 0.3])
        assert robot.position == pytest.approx([0.5, 0.3], abs=1e-3)
        return robot.outcome


SCENARIOS: dict[str, Scenario] = {"no fault": no_fault}
