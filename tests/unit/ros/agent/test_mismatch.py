"""What the agent asks for against what the gate lets through."""

from __future__ import annotations

import pytest
from robot_agent_bodies.gate.config import GateConfig
from robot_agent_bodies.parameters import config_from
from robot_agent_ros.agent.body import RobotBody
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.making_body import body_of_parameters, body_of_world, make_world
from robot_agent_ros.agent.mismatch import mismatches
from robot_agent_ros.gate.node import limits_of
from robot_agent_ros.robots import read_parameters, robot_file

LIMITS = {name: {"lower": -1.0, "upper": 1.0, "velocity": 1.0} for name in ("a", "b")}


def arm(largest_change: float = 0.1, upper: float = 1.0) -> RobotBody:
    return body_of_parameters(
        AgentConfig(
            joints=("b", "a"), lower=(-1.0, -1.0), upper=(1.0, upper), control_rate=10.0, streams=("proprio",),
            largest_change=largest_change,
        )
    )  # fmt: skip


def test_what_fits_is_not_spoken_of():
    assert mismatches(arm(), LIMITS, 0.3) == []


@pytest.mark.parametrize(
    ("body", "limits", "timeout", "says"),
    [
        (arm(largest_change=0.6), LIMITS, 0.3, "asks up to 6 a second of b, and the gate lets 1 through"),
        (arm(), LIMITS | {"a": {"velocity": 0.5}}, 0.3, "of a, and the gate lets 0.5 through"),
        (arm(upper=2.0), LIMITS, 0.3, "of a (-1 to 2 rad for -1 to 1)"),
        (arm(), LIMITS, 0.1, "command_timeout is 0.1 s, less than 3 periods of the agent: set it to 0.3 s"),
        (arm(), LIMITS | {"gripper": LIMITS["a"]}, 0.3, "so every command is refused"),
        (arm(), {"a": LIMITS["a"]}, 0.3, "so every command is refused"),
    ],
)
def test_what_does_not_fit_is_one_sentence(body: RobotBody, limits: dict, timeout: float, says: str):
    (sentence,) = mismatches(body, limits, timeout)
    assert says in sentence


def test_a_body_on_wheels_is_compared_in_the_units_of_its_twist():
    rover = body_of_parameters(
        AgentConfig(
            joints=("left", "right"), lower=(-10.0, -10.0), upper=(10.0, 10.0), control_rate=10.0,
            streams=("proprio",), wheel_radius=0.05, wheel_separation=0.2, reward="topic",
        )
    )  # fmt: skip
    assert rover.fastest == {"linear.x": pytest.approx(0.5), "angular.z": pytest.approx(5.0)}
    slow = {"linear.x": {"velocity": 0.5}, "angular.z": {"velocity": 2.0}}
    (sentence,) = mismatches(rover, slow, 0.3)
    assert "asks up to 5 a second of angular.z, and the gate lets 2 through" in sentence


@pytest.mark.parametrize(
    ("robot", "says"), [("sim", []), ("rover", []), ("ros2_control", ["a second of", "never reached"])]
)
def test_our_own_robots_fit_their_gates_and_the_template_is_slow_on_purpose(robot: str, says: list[str]):
    parameters = read_parameters(robot_file(robot))
    gate = config_from(GateConfig, parameters["gate"])
    world = parameters["agent"]["world"]
    body = body_of_world(world, make_world(world, ("proprio", "camera"), (64, 64)))
    sentences = mismatches(body, limits_of(gate), gate.command_timeout)
    assert len(sentences) == len(says), sentences
    assert all(words in sentence for words, sentence in zip(says, sentences, strict=True))
