"""An agent in the simulated body, through ROS, with learning on: it gets better, and no limit is broken."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from robot_agent_ros.graph import AGENT, DIAGNOSTICS, GATE, JOINT_STATES, POSITIONS, SIM_BODY
from robot_agent_ros.messages.joints import read_joints
from robot_agent_sim.servo_arm.reach import JOINTS, ServoArmReachEnv

from tests.lived import lived
from tests.ros_ears import Ears, ears
from tests.ros_graph import Processes

VELOCITY, ACCELERATION, JERK = 4.0, 60.0, 3000.0


def live(tmp_path: Path, seconds: float, settings: str) -> tuple[Ears, Path, Processes]:
    """The whole graph for a while; what was heard, and the run."""
    run, low, high = tmp_path / "run", *ServoArmReachEnv(streams=("proprio",)).model.actuator_ctrlrange.T
    file = tmp_path / "settings.yaml"
    file.write_text(settings)
    with Processes(tmp_path) as processes, ears(JOINT_STATES, POSITIONS, DIAGNOSTICS) as listener:
        body = {"world": "servo-arm/reach", "camera_rate": 0.0, "goal_period": 2.0}
        gate = {
            "joints": list(JOINTS),
            "lower": low.tolist(),
            "upper": high.tolist(),
            "velocity": [VELOCITY],
            "acceleration": [ACCELERATION],
            "jerk": [JERK],
        }
        agent = {
            "world": "servo-arm/reach",
            "streams": ["proprio"],
            "run_folder": str(run),
            "settings": str(file),
            "largest_joint_age": 0.3,
            "largest_command_age": 0.3,
        }
        processes.start_node(SIM_BODY, body)
        processes.start_node(GATE, {**gate, "command_timeout": 0.3})
        processes.start_node(AGENT, agent)
        listener.until(lambda: bool(listener.heard[JOINT_STATES.name]))
        listener.change("agent", "configure")
        listener.change("agent", "activate")
        listener.listen(seconds)
        listener.change("agent", "deactivate")
        for name in ("agent", "gate", "sim_body"):
            assert processes.stop(name, timeout=60.0) == 0, processes.log(name)
    return listener, run, processes


def no_limit_was_broken(listener: Ears) -> None:
    """Neither by what the gate sent nor by what the body did."""
    low, high = ServoArmReachEnv(streams=("proprio",)).model.actuator_ctrlrange.T
    sent = np.array([message.data for message in listener.heard[POSITIONS.name]])
    assert len(sent) > 100
    assert np.all((sent >= low - 1e-9) & (sent <= high + 1e-9))
    felt = np.array([read_joints(message, JOINTS).position for message in listener.heard[JOINT_STATES.name]])
    assert np.all((felt >= low - 0.1) & (felt <= high + 0.1))  # servos hang and overshoot a little


def test_it_lives_learns_and_keeps_within_limits_through_ros(tmp_path: Path):
    settings = "online:\n  random_decisions: 60\n  learner:\n    batch_size: 32\n"
    listener, run, _ = live(tmp_path, 15.0, settings)
    no_limit_was_broken(listener)
    steps = lived(run)
    assert steps["reward_known"].mean() > 0.9
    rewards = steps["reward"][steps["reward_known"]]
    assert len(rewards) > 50
    assert np.all((rewards >= 0) & (rewards <= 1))
    assert list((run / "checkpoints").iterdir())
    assert [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_in_two_minutes_of_learning_the_return_rises(tmp_path: Path):
    listener, run, _ = live(tmp_path, 125.0, "online:\n  random_decisions: 450\n")
    no_limit_was_broken(listener)
    steps = lived(run)
    rewards = steps["reward"][steps["reward_known"]]
    assert len(rewards) > 1500
    fifth = len(rewards) // 5
    assert rewards[-fifth:].mean() > 1.5 * rewards[:fifth].mean()
