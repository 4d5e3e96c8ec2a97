"""`ros:<robot>` against real processes: the simulated body and its gate, over DDS on loopback."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import robot_agent_sim
import yaml
from numpy.typing import NDArray
from robot_agent_ros import reality
from robot_agent_ros.agent.making_body import body_of_world
from robot_agent_ros.graph import GATE, POSITIONS, RESET, SIM_BODY, STOP, Topic
from robot_agent_ros.reality import RobotReality, make_reality
from robot_agent_ros.transport import PROFILE

from robot_agent.errors import BodyError
from robot_agent.types import Observation
from tests.ros_ears import ears
from tests.ros_graph import Processes, alone

WORLD = "servo-arm/reach"
STREAMS = ("camera", "proprio")
BODY = {"world": WORLD, "camera_rate": 15.0, "image_width": 64, "image_height": 48}
GATE_PARAMETERS = {
    "joints": ["turn", "shoulder", "elbow"],
    "lower": [-1.2, 0.0, 0.2],
    "upper": [1.2, 1.3, 1.8],
    "velocity": [4.0],
    "acceleration": [60.0],
    "jerk": [3000.0],
    "command_timeout": 0.5,  # tests share the machine with other work
    "tracking_error": 0.0,
}
AGENT_PARAMETERS = {
    "world": WORLD,
    "image_size": [48, 64],
    "largest_camera_age": 0.5,
    "largest_joint_age": 0.5,
    "largest_skew": 0.5,
    "largest_command_age": 0.5,
}


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Processes]]:
    """The parameter file of a robot that runs, and its processes."""
    folder = tmp_path_factory.mktemp("robot")
    file = folder / "easy.yaml"
    file.write_text(yaml.safe_dump({"/**/agent": {"ros__parameters": AGENT_PARAMETERS}}))
    with pytest.MonkeyPatch.context() as patch, Processes(folder) as processes:
        for name, value in {**alone(), "FASTDDS_DEFAULT_PROFILES_FILE": str(PROFILE)}.items():
            patch.setitem(os.environ, name, value)
        processes.start_node(SIM_BODY, BODY)
        processes.start_node(GATE, GATE_PARAMETERS)
        patch.setattr(reality, "CONNECT_PATIENCE", 60.0)  # processes start, on a machine that others use
        yield str(file), processes


@pytest.fixture
def body(robot: tuple[str, Processes]) -> Iterator[RobotReality]:
    made = make_reality(robot[0], WORLD, streams=STREAMS, camera_size=(32, 32))
    yield made
    made.close()


def solution(world: Any, goal: NDArray[Any]) -> NDArray[np.float64]:
    """Joint positions that achieve a goal: the best of many, made better."""
    low, high = world.model.actuator_ctrlrange.T
    rng = np.random.default_rng(0)

    def away(pose: NDArray[np.float64]) -> float:
        return float(np.linalg.norm(world.achieved_with(pose) - goal))

    best = min(rng.uniform(low, high, (3000, 3)), key=away)
    for size in np.repeat((0.05, 0.02, 0.005), 100):
        best = min(best, np.clip(best + rng.normal(0, size, 3), low, high), key=away)
    return best


def keep_on(body: RobotReality, action: NDArray[np.float32]) -> None:
    """For the rest of this episode and the next ones."""
    while True:
        if body.step(action)[3]:
            body.reset(seed=0)


def call(service: Any, *topics: Topic) -> None:
    with ears(*topics) as listener:
        assert listener.call(service).success


def test_an_episode_moves_the_arm_and_is_judged_as_the_worlds(body: RobotReality):
    world = robot_agent_sim.make(WORLD, streams=("proprio",)).unwrapped
    own, _ = world.reset(seed=7)
    observation, info = body.reset(seed=7)
    np.testing.assert_array_equal(observation["desired_goal"], own["desired_goal"])
    np.testing.assert_allclose(observation["proprio"][:3], own["proprio"][:3], atol=0.1)
    assert observation["camera/overhead"].std() > 5, "it sees something"
    there = solution(world, observation["desired_goal"])
    largest = body_of_world(WORLD, world).largest_change
    began, over, steps, returned = time.monotonic(), False, 0, 0.0
    while not over:
        assert body.observation_space.contains(observation)
        action = np.clip((there - observation["proprio"][6:]) / largest, -1, 1)
        observation, reward, _, over, info = body.step(action.astype(np.float32))
        steps += 1
        returned += reward
        assert reward == pytest.approx(_worth(world, observation), rel=1e-5)
    assert steps == 60
    assert time.monotonic() - began > 59 * body.metadata["control_dt"], "it lives in real time"
    assert np.linalg.norm(observation["proprio"][:3] - there) < 0.1, "actions moved the arm"
    assert info["success"], "and it is where it shall be"
    assert reward > 0.9
    assert returned < 60


def _worth(world: Any, observation: Observation) -> float:
    return float(world.compute_reward(observation["achieved_goal"], observation["desired_goal"], {}))


def test_closing_leaves_the_body_holding_and_a_stop_is_named(body: RobotReality):
    body.reset(seed=1)
    for _ in range(5):
        body.step(np.ones(3, np.float32))
    call(STOP)
    with pytest.raises(BodyError, match=r"gate_stopped for 2 s \(the gate lets no commands through: it was stopped"):
        keep_on(body, np.ones(3, np.float32))
    call(RESET)
    body.reset(seed=1)
    body.step(np.ones(3, np.float32))
    body.close()
    with ears(POSITIONS) as listener:
        listener.until(lambda: bool(listener.heard[POSITIONS.name]))
        listener.listen(1.0)  # the brake is over
        listener.heard[POSITIONS.name].clear()
        listener.listen(0.5)
        held = np.array([message.data for message in listener.heard[POSITIONS.name]])
    assert len(held) > 5, "the gate goes on"
    assert np.ptp(held, axis=0).max() < 1e-6, "with what stands still"


def test_a_body_that_falls_silent_is_named_and_so_is_one_that_is_not_there(
    body: RobotReality, robot: tuple[str, Processes], monkeypatch: pytest.MonkeyPatch
):
    body.reset(seed=2)
    robot[1].running[SIM_BODY.name].send_signal(signal.SIGINT)
    with pytest.raises(
        BodyError, match=r"ros:.*: (joints|camera)_stopped for 2 s \(the last .* s old\): see"
    ) as caught:
        keep_on(body, np.zeros(3, np.float32))
    assert "\n" not in str(caught.value)
    monkeypatch.setattr(reality, "CONNECT_PATIENCE", 1.0)
    with pytest.raises(BodyError, match=r"joints_missing for 1 s \(no joints has come yet\)"):
        make_reality(robot[0], WORLD, streams=("proprio",))
