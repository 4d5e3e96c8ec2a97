"""An agent drives the simulated rover through the gate, by twists, and learns from what came of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from robot_agent_ros.graph import AGENT, DIAGNOSTICS, GATE, JOINT_STATES, SIM_BODY, TWIST
from robot_agent_ros.robots import read_parameters, robot_file

from tests.lived import lived
from tests.ros_ears import ears
from tests.ros_graph import Processes

AGES = ("largest_camera_age", "largest_joint_age", "largest_skew", "largest_command_age")


def test_an_agent_drives_a_rover_by_twists_and_keeps_what_came_of_it(tmp_path: Path):
    run = tmp_path / "run"
    sections = read_parameters(robot_file("rover"))
    with Processes(tmp_path) as processes, ears(JOINT_STATES, TWIST, DIAGNOSTICS) as listener:
        processes.start_node(SIM_BODY, {**sections["sim_body"], "image_width": 64, "image_height": 48})
        processes.start_node(
            GATE, {**sections["gate"], "command_timeout": max(0.5, sections["gate"]["command_timeout"])}
        )
        agent = {"image_size": [48, 64], "run_folder": str(run), **dict.fromkeys(AGES, 0.5)}
        processes.start_node(AGENT, {**sections["agent"], **agent})
        listener.until(lambda: bool(listener.heard[JOINT_STATES.name]))
        for state in ("configure", "activate"):
            listener.change("agent", state)
        listener.until(lambda: int(listener.diagnosed("agent").get("decisions", 0)) > 30)
        listener.change("agent", "deactivate")
        for name in ("agent", "gate", "sim_body"):
            assert processes.stop(name, timeout=60.0) == 0, processes.log(name)
        twists = [(one.twist.linear.x, one.twist.angular.z) for one in listener.heard[TWIST.name]]
        speeds = np.array([one.velocity for one in listener.heard[JOINT_STATES.name]])
    forward, turn = np.abs(twists).T
    assert 0.1 < forward.max() <= 0.6
    assert 1.0 < turn.max() <= 7.0
    assert np.abs(speeds).max() > 3.0
    steps = lived(run)
    assert len(steps) > 15
    assert steps["reward_known"].mean() > 0.5
    assert steps["proprio"].shape[1] == 4
    assert np.abs(steps["proprio"][:, :2]).max() > 3.0
