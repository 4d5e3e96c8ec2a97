"""A robot as a gymnasium environment: what it does with senses, a gate and a clock, all played here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import robot_agent_sim
from numpy.typing import NDArray
from robot_agent_ros import reality
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.control import Sight
from robot_agent_ros.agent.making_body import body_of_world
from robot_agent_ros.agent.pairing import Refused
from robot_agent_ros.agent.task import task_of
from robot_agent_ros.reality import RobotReality, make_reality

from robot_agent.cli.realities import build_reality
from robot_agent.errors import BodyError
from robot_agent.types import BodySpec

WORLD = "servo-arm/reach"
PERIOD = 1 / 30
UP = np.array([1.0, 0.0, 0.0], np.float32)


class PlayedRobot:
    """Joints that go where they are commanded at 3 rad/s, with its own clock, which goes on when somebody waits.

    Attributes:
        sent: (s, positions) of each command.
        refuses: raises what the senses or the gate have to say.
        lag: s by which everything is older than it should be.
        obeys: joints that move.
    """

    def __init__(self) -> None:
        self.time, self.lag = 0.0, 0.0
        self.position = np.array([0.6, 1.0, 0.4])
        self.target = self.position
        self.sent: list[tuple[float, NDArray[Any]]] = []
        self.refuses: Callable[[], None] = lambda: None
        self.obeys = np.ones(3)
        self.is_followed, self.last_refusal, self.open = True, "", 0
        self.why_not = "the gate does not accept the commands"

    def now(self) -> float:
        return self.time

    ros = now

    def wait(self, until: float) -> None:
        while self.time < until - 1e-9:
            seconds = min(0.005, until - self.time)
            self.time += seconds
            self.position = self.position + self.obeys * np.clip(self.target - self.position, -3 * seconds, 3 * seconds)

    def arrivals(self) -> list[float]:
        return []

    def poll(self) -> bool:
        return True

    def look(self) -> Sight:
        self.refuses()
        return Sight(self.time - self.lag, self.time - self.lag, self.position.copy(), np.zeros_like(self.position), {})

    def send(self, positions: NDArray[Any]) -> None:
        self.sent.append((self.time, positions.copy()))
        self.target = positions

    def close(self) -> None:
        self.open -= 1

    def connect(self) -> PlayedRobot:
        self.open += 1
        return self


def of(robot: PlayedRobot, world: str = WORLD, action_repeat: int | None = None) -> RobotReality:
    env = robot_agent_sim.make(world, streams=("proprio",), action_repeat=action_repeat)
    body, config = body_of_world(world, env), AgentConfig()
    return RobotReality("toy", env, body, task_of(config, body, env), config, robot.connect, lambda ros: robot)


def refusing(name: str, sentence: str) -> Callable[[], None]:
    def refuse() -> None:
        raise Refused(name, sentence)

    return refuse


def test_it_has_the_worlds_form_and_the_worlds_goals_and_is_driven_to_where_the_world_begins():
    robot, world = PlayedRobot(), robot_agent_sim.make(WORLD, streams=("proprio",))
    made = of(robot)
    assert BodySpec.from_env(made) == BodySpec.from_env(world)
    for seed in (3, 4):
        observation, info = made.reset(seed=seed)
        own, _ = world.reset(seed=seed)
        np.testing.assert_array_equal(observation["desired_goal"], own["desired_goal"])
        np.testing.assert_allclose(observation["achieved_goal"], own["achieved_goal"], atol=0.002)
        np.testing.assert_allclose(observation["proprio"], own["proprio"], atol=0.01)
        assert made.observation_space.contains(observation)
        assert info["success"] is False
    speeds = np.abs(np.diff([positions for _, positions in robot.sent], axis=0)).max()
    assert speeds <= reality.RETURN_SHARE * 0.1 + 1e-9, "it is not thrown there"


@pytest.mark.parametrize("repeat", [1, 2])
def test_an_episode_is_as_long_as_the_worlds_in_steps_a_decision_apart_and_judged_by_it(repeat: int):
    robot = PlayedRobot()
    made = of(robot, action_repeat=repeat)
    before, _ = made.reset(seed=5)
    start, over, frames, times = robot.position[0], False, 0, [robot.time]
    while not over:
        observation, reward, terminated, over, info = made.step(UP * (frames < 12))
        assert not terminated
        frames += info["frames"]
        times.append(robot.time)
        expected = made.compute_reward(observation["achieved_goal"], observation["desired_goal"], {})
        assert reward == pytest.approx(info["frames"] * expected, rel=1e-6)
        away = np.linalg.norm(observation["achieved_goal"] - observation["desired_goal"])
        assert info["success"] == (away <= 0.03)
    assert frames == 60
    np.testing.assert_allclose(np.diff(times), repeat * PERIOD, atol=0.002)
    assert robot.position[0] == pytest.approx(min(start + 1.2, 1.2), abs=0.02), "12 frames of 0.1 rad"
    np.testing.assert_array_equal(observation["desired_goal"], before["desired_goal"])
    with pytest.raises(gymnasium.error.ResetNeeded):
        made.step(UP)


def test_success_is_the_worlds():
    robot = PlayedRobot()
    made = of(robot)
    made.reset(seed=5)
    made.task.set_goal(made.unwrapped._world.achieved_with(robot.position))
    _, reward, _, _, info = made.step(0 * UP)
    assert info["success"]
    assert reward > 0.95


def test_a_short_loss_is_waited_for_without_a_command_and_goes_on_from_where_the_robot_is():
    robot = PlayedRobot()
    made = of(robot)
    made.reset(seed=1)
    made.step(UP)
    began, sent = robot.time, len(robot.sent)

    def lose() -> None:
        if robot.time < began + 1.0:
            raise Refused("joints_stopped", "the last joints are old")

    robot.refuses = lose
    observation, *_ = made.step(UP)
    assert len(robot.sent) == sent + 1
    assert robot.time - began == pytest.approx(1.0, abs=0.1)
    np.testing.assert_allclose(observation["proprio"][6:], observation["proprio"][:3], atol=1e-6)
    np.testing.assert_array_equal(observation["proprio"][3:6], 0)


@pytest.mark.parametrize(
    ("name", "sentence"), [("camera_stopped", "the last camera is 0.5 s old"), ("gate_stopped", "lets nothing through")]
)
def test_what_ends_an_episode_is_named(name: str, sentence: str):
    robot = PlayedRobot()
    made = of(robot)
    made.reset(seed=1)
    robot.refuses = refusing(name, sentence)
    with pytest.raises(BodyError, match=rf"^ros:toy: {name} for 2 s \({sentence}\): see") as caught:
        made.step(UP)
    assert "\n" not in str(caught.value)
    with pytest.raises(gymnasium.error.ResetNeeded):
        made.step(UP)
    robot.refuses = lambda: None
    made.reset(seed=1)
    made.close()
    assert robot.open == 0


def test_a_decision_that_is_late_is_not_sent_and_ten_in_a_row_are_refused():
    robot = PlayedRobot()
    made = of(robot)
    made.reset(seed=1)
    sent = len(robot.sent)
    for late in range(1, 10):
        robot.time += 0.2  # thinking
        *_, info = made.step(UP)
        assert info["late_decisions"] == late
    assert info["skipped_decisions"] > 0
    assert len(robot.sent) == sent
    robot.time += 0.2
    with pytest.raises(BodyError, match=r"decisions come 0\.\d+ s after what they are about and are not sent"):
        made.step(UP)


def test_an_episode_whose_commands_the_gate_refuses_is_none():
    robot = PlayedRobot()
    made = of(robot)
    made.reset(seed=1)
    made.step(UP)
    robot.is_followed = False  # somebody else owns the robot
    for _ in range(reality.REFUSED_IN_A_ROW - 1):
        made.step(UP)
    with pytest.raises(BodyError, match="ros:toy: the gate does not accept the commands"):
        made.step(UP)
    robot.is_followed = True
    made.reset(seed=1)
    for _ in range(5):
        made.step(UP)


def test_a_robot_that_cannot_begin_says_why():
    blocked = PlayedRobot()
    blocked.obeys = np.array([1.0, 1.0, 0.0])
    with pytest.raises(BodyError, match=r"joint 'elbow' rests at 0\.40 rad, expected (0\.9|1\.0)\d where the episode"):
        of(blocked).reset(seed=1)
    unheard = PlayedRobot()
    unheard.is_followed, unheard.last_refusal = False, "unknown_joint"
    with pytest.raises(BodyError, match=r"the gate follows nothing that is sent \(it refuses: unknown_joint\)"):
        of(unheard).reset(seed=1)
    np.testing.assert_array_equal(unheard.sent[-1][1], unheard.sent[0][1]), "what is commanded does not run away"
    silent = PlayedRobot()
    silent.refuses = refusing("joints_missing", "none has come yet")
    made = of(silent)
    with pytest.raises(BodyError, match=r"ros:toy: joints_missing for 10 s \(none has come yet\)"):
        made.hear()
    assert silent.open == 0


@pytest.mark.parametrize(
    ("robot", "world", "sentence"),
    [
        ("nobody", WORLD, r"ros:nobody: there is no robot 'nobody', expected ros2_control, rover, sim or the path"),
        ("sim", "so101/reach", "ros:sim: it is a body of servo-arm/reach, and the run is of so101/reach"),
        ("free.yaml", "so101/reach-by-sight", "only a camera sees what is achieved in so101/reach-by-sight"),
        ("free.yaml", "so101/push-cube", "cannot be told from its joints alone"),
        ("free.yaml", "dmc/cartpole-swingup", "expected one of position servos"),
        ("simulated.yaml", WORLD, "use_sim_time is true, expected a robot in real time"),
    ],
)
def test_a_robot_that_does_not_fit_is_refused_in_one_sentence(tmp_path: Path, robot: str, world: str, sentence: str):
    (tmp_path / "free.yaml").write_text("/**/agent:\n  ros__parameters: {largest_skew: 0.1}\n")
    (tmp_path / "simulated.yaml").write_text("/**:\n  ros__parameters: {use_sim_time: true}\n")
    name = str(tmp_path / robot) if robot.endswith(".yaml") else robot
    streams = ("camera", "proprio") if "sight" in world else ("proprio",)
    with pytest.raises(BodyError, match=sentence) as caught:
        make_reality(name, world, streams=streams, camera_size=(16, 16))
    assert "\n" not in str(caught.value)


def test_an_invalid_domain_is_refused_with_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", "300")
    with pytest.raises(BodyError, match="ros:sim: ROS_DOMAIN_ID is '300'"):
        make_reality("sim", WORLD)


def test_without_rclpy_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    for module in ("robot_agent_ros.reality", "robot_agent_ros.agent.link"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "rclpy", None)
    with pytest.raises(BodyError, match="a reality on ROS 2 needs rclpy, which is missing: install the extra ros"):
        build_reality("ros:sim", WORLD, streams=("proprio",))
