"""The words that every module shares: observations, the shape of a body, and one step of experience."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from numbers import Real
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from robot_agent.errors import BodyError

AgentId = str
Observation = Mapping[str, NDArray[Any]]
"""Flat mapping: `camera/<name>` uint8 (H, W, 3), `proprio` float32 (n,), and in goal worlds `achieved_goal`
and `desired_goal` float32 (g,)."""

CAMERA_PREFIX = "camera/"
SMALLEST_FRAME = 4
"""Pixels of a camera's side, at least: an encoder's first convolution spans 8, of which 4 are padding."""
GOAL_KEYS = ("achieved_goal", "desired_goal")


class Source(IntEnum):
    """Who chose an action; `REPEATED` is the one before, where plan or observation was not finite."""

    PLAN = 0
    POLICY = 1
    RANDOM = 2
    HUMAN = 3
    DEMO = 4
    REPEATED = 5


class GoalKind(IntEnum):
    """What says what an action was for."""

    WORLD = 0
    """The world: its `desired_goal`, or its one reward."""

    ADDRESS = 1
    """What was seen at an address of replay."""


@dataclass(frozen=True)
class BodySpec:
    """The shapes that tie an agent to a body.

    Attributes:
        cameras: name (without prefix) to (height, width) in pixels, sorted by name.
        proprio_dim: width of `proprio`, 0 where the body has none.
        action_dim: width of the action, each entry in [-1, 1].
        goal_dim: width of `desired_goal`, 0 in a world with one reward.
        control_dt: seconds between two decisions.
        frames_per_step: simulator control frames that one decision lasts (action repeat).
    """

    cameras: tuple[tuple[str, tuple[int, int]], ...]
    proprio_dim: int
    action_dim: int
    goal_dim: int = 0
    control_dt: float = 0.02
    frames_per_step: int = 1

    @classmethod
    def from_env(cls, env: gymnasium.Env[Any, Any]) -> BodySpec:
        """Reads the shapes of a gymnasium environment whose observations are a flat `Dict` (see `Observation`).

        Raises:
            BodyError: the action space is not a `Box` of floats in [-1, 1], an observation is of no known kind, or a
                declared time or number of frames is not positive.
        """
        action = env.action_space
        if not isinstance(action, gymnasium.spaces.Box) or len(action.shape) != 1:
            raise BodyError(
                f"the action space is {action}, expected a one-dimensional Box(-1, 1): wrap the environment"
            )
        is_float = np.issubdtype(action.dtype, np.floating)
        if not (is_float and np.all(action.low == -1.0) and np.all(action.high == 1.0)):
            raise BodyError(
                f"the action space is {action}, expected Box(-1, 1) of floats: wrap the environment with "
                "robot_agent_sim.gymnasium_env.adapt"
            )
        space = env.observation_space
        if not isinstance(space, gymnasium.spaces.Dict):
            raise BodyError(f"the observation space is {space}, expected a flat Dict of `camera/<name>` and `proprio`")
        cameras = []
        for key, box in sorted(space.spaces.items()):
            shape = box.shape or ()
            if key.startswith(CAMERA_PREFIX):
                if len(shape) != 3 or shape[2] != 3 or box.dtype != np.uint8:
                    raise BodyError(f"{key} is {box}, expected uint8 of shape (height, width, 3)")
                if "." in key or key == CAMERA_PREFIX:  # a network's modules are named so
                    raise BodyError(f"a camera is called {key!r}, expected `camera/<name>` without dots: rename it")
                if min(shape[:2]) < SMALLEST_FRAME:
                    raise BodyError(f"{key} is {box}, expected at least {SMALLEST_FRAME} pixels a side: enlarge it")
                cameras.append((key.removeprefix(CAMERA_PREFIX), (int(shape[0]), int(shape[1]))))
            elif key in ("proprio", *GOAL_KEYS):
                if len(shape) != 1:
                    raise BodyError(f"{key} has shape {shape}, expected one dimension")
            else:
                raise BodyError(f"unknown observation {key!r}, expected `camera/<name>`, `proprio` or a goal")

        def width(key: str) -> int:
            return int(space.spaces[key].shape[0]) if key in space.spaces else 0  # type: ignore[index]

        goals = {key: width(key) for key in GOAL_KEYS if key in space.spaces}
        if goals and (len(goals) < 2 or len(set(goals.values())) > 1 or 0 in goals.values()):
            found = " and ".join(f"{key} of {size} numbers" for key, size in goals.items())
            raise BodyError(
                f"the observation has {found}, expected {' and '.join(GOAL_KEYS)} of the same width, at least 1: "
                "add what is missing, or rename an observation that is no goal"
            )
        if not cameras and not width("proprio"):
            raise BodyError("the observation has neither a camera nor proprio: give the agent at least one stream")
        return cls(
            cameras=tuple(cameras),
            proprio_dim=width("proprio"),
            action_dim=int(action.shape[0]),
            goal_dim=width("desired_goal"),
            control_dt=_declared(env, "control_dt", 0.02),
            frames_per_step=int(_declared(env, "frames_per_step", 1)),
        )

    def frames_in(self, dt: ArrayLike) -> NDArray[np.int64]:
        """Control frames of decisions that lasted `dt` (s): fewer than `frames_per_step` where an episode ended in one.

        A decision of unknown duration, 0, counts as whole.
        """
        seconds = np.asarray(dt, np.float64)
        frames = np.rint(seconds / self.control_dt * self.frames_per_step).astype(np.int64)
        return np.where(seconds > 0, np.clip(frames, 1, self.frames_per_step), self.frames_per_step)


def _declared(env: gymnasium.Env[Any, Any], name: str, default: float) -> float:
    """A positive number of an environment's metadata."""
    value = env.metadata.get(name, default)
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else 0.0
    if not 0 < number < float("inf"):
        raise BodyError(f"the environment's metadata declares {name} {value!r}, expected a positive number")
    return number


@dataclass(frozen=True)
class Transition:
    """One decision and what came of it: in `observation` the agent did `action` and received `reward`.

    `final_observation` is what was seen after the last action of an episode, None before. `reward` is None where
    there is none. A body without a name of its own goes by its agent's. `valid` is False for a step with a
    non-finite number: kept for people, never learned from.
    """

    observation: Observation
    action: NDArray[np.float32]
    reward: float | None
    terminated: bool
    truncated: bool
    episode: int
    step: int
    final_observation: Observation | None = None
    stamp: float = 0.0
    dt: float = 0.0
    body_id: str = "agent"
    agent_id: AgentId = "agent"
    source: Source = Source.PLAN
    weights_version: int = 0
    valid: bool = True
    streams_known: tuple[bool, ...] | None = None
    """Cameras in the order of the body, then proprio; None where all were there."""
    action_known: bool = True
    goal_kind: GoalKind = GoalKind.WORLD
    goal_address: tuple[int, int] | None = None
    """Segment and index in it, where `goal_kind` says so."""
    skill: int | None = None
    marked: bool = False
    """Worth keeping, whatever replay lets go."""
    info: Mapping[str, Any] = field(default_factory=dict)
    """For listeners that report; never stored, never shown to the agent."""
