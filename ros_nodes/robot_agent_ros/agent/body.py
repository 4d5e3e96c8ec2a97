"""What the agent's actions and feelings mean on this robot: the same as in the world it was trained in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import robot_agent_sim
from numpy.typing import NDArray
from robot_agent_sim.mujoco_env import MujocoEnv

from robot_agent.types import BodySpec
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.errors import ParameterError


@dataclass(frozen=True)
class RobotBody:
    """A body of position servos.

    An action moves the commanded positions; `proprio` is, for each joint: its position (rad), its velocity from two
    readings a control frame apart (rad/s), and the commanded position (rad).

    Attributes:
        spec: shapes and rate.
        joints: their names, in the order of action and proprio.
        lower, upper: of commands, rad (n,).
        largest_change: of a command in one decision, rad.
    """

    spec: BodySpec
    joints: tuple[str, ...]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    largest_change: float

    @property
    def frame(self) -> float:
        """s of a control frame, of which a decision lasts `spec.frames_per_step`."""
        return self.spec.control_dt / self.spec.frames_per_step

    def within(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """The nearest positions that may be commanded (n,)."""
        return np.clip(positions, self.lower, self.upper)

    def commanded(self, before: NDArray[np.float64], action: NDArray[np.float32]) -> NDArray[np.float64]:
        """Commanded positions (n,) in rad after an action (n,) in [-1, 1]."""
        return self.within(before + self.largest_change * action)

    def proprio(
        self, position: NDArray[np.float64], velocity: NDArray[np.float64], commanded: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """What the agent feels, float32 (3 n,); empty for a body that feels nothing."""
        if not self.spec.proprio_dim:
            return np.zeros(0, np.float32)
        return np.concatenate((position, velocity, commanded), dtype=np.float32)


def make_world(
    world: str, streams: Sequence[str], camera_size: tuple[int, int], action_repeat: int | None = None
) -> gymnasium.Env[Any, Any]:
    """A copy of the world, for its shapes, its kinematics and its reward.

    Raises:
        ParameterError: there is no such world.
    """
    try:
        return robot_agent_sim.make(world, streams=streams, camera_size=camera_size, action_repeat=action_repeat)
    except ValueError as error:
        raise ParameterError(f"world: {error}") from error


def body_of_world(name: str, env: gymnasium.Env[Any, Any]) -> RobotBody:
    """The body of a world that is moved by position servos.

    Raises:
        ParameterError: it is of another kind.
    """
    world: Any = env.unwrapped
    if not isinstance(world, MujocoEnv) or not hasattr(world, "largest_change"):
        raise ParameterError(
            f"world is {name!r}, expected one of position servos that is made here, such as servo-arm/reach: "
            "give the robot's joints instead"
        )
    spec = BodySpec.from_env(env)
    if len(spec.cameras) > 1:
        raise ParameterError(f"world {name!r} shows {len(spec.cameras)} cameras, expected one at most")
    joints = world.model.actuator_trnid[:, 0]
    lower, upper = world.model.actuator_ctrlrange.T.copy()
    return RobotBody(
        spec=spec,
        joints=tuple(world.model.joint(joint).name.rpartition("/")[2] for joint in joints),
        lower=lower,
        upper=upper,
        largest_change=float(world.largest_change) * spec.frames_per_step,
    )


def body_of_parameters(config: AgentConfig) -> RobotBody:
    """The body that the parameters describe, where there is no world of it.

    Raises:
        ParameterError: they do not.
    """
    if not config.joints:
        raise ParameterError("neither world nor joints say what the robot is: give one of them")
    if config.control_rate < 1:
        raise ParameterError(
            f"control_rate is {config.control_rate:g} Hz, expected at least 1 Hz where no world says it"
        )
    height, width = config.camera_size
    spec = BodySpec(
        cameras=(("main", (height, width)),) if "camera" in config.streams else (),
        proprio_dim=3 * len(config.joints) if "proprio" in config.streams else 0,
        action_dim=len(config.joints),
        goal_dim=config.goal_dim,
        control_dt=1 / config.control_rate,
    )
    return RobotBody(spec, config.joints, np.array(config.lower), np.array(config.upper), config.largest_change)
