"""What the robot is after: its goal, what it has achieved, and what that is worth."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from robot_agent.run.learning_run import MakeGoalFunctions
from robot_agent.run.life import GoalFunctionsOf
from robot_agent.types import Observation
from robot_agent_ros.agent.body import RobotBody
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.making_body import make_world
from robot_agent_ros.errors import ParameterError

Reward = Callable[[Observation], float]
Achieved = Callable[[Observation], NDArray[np.float32]]


class Task:
    """Goal and reward of a robot; goals and rewards from topics come on another thread than the one that acts.

    Args:
        goal_dim: numbers of a goal, 0 for one task.
        achieved: from an observation to the goal it achieves, in a world of goals.
        reward: of an observation, None where nobody or a topic gives it.
        listens: whether rewards come from a topic.
    """

    def __init__(
        self, goal_dim: int, achieved: Achieved | None = None, reward: Reward | None = None, listens: bool = False
    ) -> None:
        self.goal_dim = goal_dim
        self._achieved, self._reward, self._listens = achieved, reward, listens
        self._goal: NDArray[np.float32] | None = None if goal_dim else np.zeros(0, np.float32)
        self._given: list[tuple[float, float]] = []
        self._lock = threading.Lock()

    @property
    def goal(self) -> NDArray[np.float32] | None:
        """The goal now, float32 (goal_dim,); None as long as nobody gave one."""
        return self._goal

    def set_goal(self, values: Sequence[float]) -> str:
        """Takes another goal; returns why not, in words, or nothing."""
        goal = np.asarray(values, np.float32)
        if goal.shape != (self.goal_dim,):
            return f"the goal has {goal.size} numbers, expected {self.goal_dim}"
        if not np.all(np.isfinite(goal)):
            return f"the goal is {goal.tolist()}, expected finite numbers"
        if self._goal is None or not np.array_equal(goal, self._goal):
            self._goal = goal
        return ""

    def give_reward(self, stamp: float, value: float) -> None:
        """A reward came from the topic, at `stamp` s of the system's clock."""
        with self._lock:
            self._given.append((stamp, value))
            del self._given[:-1000]

    def seen(self, proprio: NDArray[np.float32], camera: Observation, goal: NDArray[np.float32]) -> Observation:
        """The observation with its goals; `camera` has the frames, `proprio` may be empty."""
        observation: dict[str, NDArray[Any]] = {**camera}
        if proprio.size:
            observation["proprio"] = proprio
        if self.goal_dim:
            assert self._achieved is not None
            observation["desired_goal"] = goal
            observation["achieved_goal"] = self._achieved(observation)
        return observation

    def reward(self, observation: Observation, since: float, until: float) -> float | None:
        """What the step that led to an observation gave; from a topic: the sum of what came in (since, until] s."""
        if self._listens:
            with self._lock:
                mine = [value for stamp, value in self._given if since < stamp <= until]
                self._given = [(stamp, value) for stamp, value in self._given if stamp > until]
            return sum(mine) if mine else None
        return None if self._reward is None else float(self._reward(observation))


def task_of(config: AgentConfig, body: RobotBody, env: gymnasium.Env[Any, Any] | None) -> Task:
    """The task that the parameters describe.

    Args:
        env: a copy of the robot's world, None where there is none.

    Raises:
        ParameterError: they describe none.
    """
    spec, world = body.spec, getattr(env, "unwrapped", None)
    achieved: Achieved | None = None
    if spec.goal_dim and config.achieved_goal:
        achieved = partial(_vector, named_function(config.achieved_goal), spec.goal_dim)
    elif spec.goal_dim and world is not None:
        achieved = _achieved_by_joints(world, body)
    elif spec.goal_dim:
        raise ParameterError("goal_dim is set but achieved_goal is empty: give a module:function")
    reward: Reward | None = None
    if ":" in config.reward:
        reward = named_function(config.reward)
    elif config.reward == "world" and spec.goal_dim and world is not None:
        compute: Any = world.compute_reward

        def reward(observation: Observation) -> float:
            # Like the rewards that were lived in the world, as if what the decision achieved had held for all frames.
            return spec.frames_per_step * float(compute(observation["achieved_goal"], observation["desired_goal"], {}))

    task = Task(spec.goal_dim, achieved, reward, config.reward == "topic")
    if config.goal:
        refusal = task.set_goal(config.goal)
        if refusal:
            raise ParameterError(f"goal: {refusal}")
    return task


def hindsight_of(
    config: AgentConfig, world: str, streams: Sequence[str], camera_size: tuple[int, int], body: str | None = None
) -> MakeGoalFunctions | None:
    """What gives the world's functions of goals in the learner's process; None where the world does not judge."""
    if not world or config.reward != "world":
        return None
    return GoalFunctionsOf(partial(make_world, world, tuple(streams), camera_size, None, body))


def named_function(name: str) -> Callable[..., Any]:
    """The function of `module:function`.

    Raises:
        ParameterError: there is none.
    """
    module, _, function = name.partition(":")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ParameterError(
            f"there is no function {name!r} ({error}): give module:function of what can be imported"
        ) from error
    if not callable(found):
        raise ParameterError(f"{name!r} is {type(found).__name__}, expected a function")
    return found


def _vector(function: Callable[..., Any], width: int, observation: Observation) -> NDArray[np.float32]:
    vector = np.asarray(function(observation), np.float32)
    if vector.shape != (width,):
        raise ParameterError(f"achieved_goal gave {vector.shape}, expected ({width},)")
    return vector


def _achieved_by_joints(world: Any, body: RobotBody) -> Achieved:
    joints = len(body.joints)
    if not body.spec.proprio_dim:
        raise ParameterError("streams lack proprio, from which the world's achieved_goal comes: give achieved_goal")
    try:
        world.achieved_with(np.zeros(joints))
    except ValueError as error:
        raise ParameterError(f"{error}: give achieved_goal as a module:function, or another world") from error

    def achieved(observation: Observation) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = world.achieved_with(observation["proprio"][:joints])
        return vector

    return achieved
