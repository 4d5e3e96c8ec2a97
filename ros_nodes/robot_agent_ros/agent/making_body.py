"""The body that parameters name: that of a world made here, or one that they describe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import robot_agent_sim
from robot_agent_sim.live import Driven
from robot_agent_sim.mujoco_env import MujocoEnv

from robot_agent.types import BodySpec
from robot_agent_ros.agent.body import RobotBody, ServoBody, WheeledBody
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.errors import ParameterError


def make_world(
    world: str,
    streams: Sequence[str],
    camera_size: tuple[int, int],
    action_repeat: int | None = None,
    body: str | None = None,
) -> gymnasium.Env[Any, Any]:
    """A copy of the world, for its shapes, its kinematics and its reward.

    Args:
        world, streams, camera_size, action_repeat, body: see `robot_agent_sim.make`.

    Raises:
        ParameterError: there is no such world, or no such calibration.
    """
    try:
        return robot_agent_sim.make(
            world, streams=streams, camera_size=camera_size, action_repeat=action_repeat, body=body
        )
    except ValueError as error:
        raise ParameterError(f"world: {error}") from error


def body_of_world(name: str, env: gymnasium.Env[Any, Any]) -> RobotBody:
    """The body of a world that is moved by position servos, or by two wheels.

    Raises:
        ParameterError: it is of another kind.
    """
    world: Any = env.unwrapped
    is_made_here = isinstance(env.unwrapped, MujocoEnv)
    if not is_made_here or not (isinstance(env.unwrapped, Driven) or hasattr(world, "largest_change")):
        raise ParameterError(
            f"world is {name!r}, expected one of position servos or wheels that is made here, such as "
            "servo-arm/reach or rover/goal: give the robot's joints instead"
        )
    spec = BodySpec.from_env(env)
    if len(spec.cameras) > 1:
        raise ParameterError(f"world {name!r} shows {len(spec.cameras)} cameras, expected one at most")
    model = world.model
    joints = model.actuator_trnid[: spec.action_dim, 0]  # those of others, if there are any, come after its own
    names = tuple(model.joint(joint).name.rpartition("/")[2] for joint in joints)
    lower, upper = model.actuator_ctrlrange[: spec.action_dim].T.copy()
    opening = float(np.deg2rad(model.camera(spec.cameras[0][0]).fovy[0])) if spec.cameras else None
    if isinstance(env.unwrapped, Driven):
        return WheeledBody(spec, names, lower, upper, world.wheel_radius, world.wheel_separation, opening=opening)
    change = float(world.largest_change) * spec.frames_per_step
    return ServoBody(spec, names, lower, upper, change, opening=opening)


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
    felt = 2 if config.has_wheels else 3
    spec = BodySpec(
        cameras=(("main", (height, width)),) if "camera" in config.streams else (),
        proprio_dim=felt * len(config.joints) if "proprio" in config.streams else 0,
        action_dim=len(config.joints),
        goal_dim=config.goal_dim,
        control_dt=1 / config.control_rate,
    )
    lower, upper = np.array(config.lower), np.array(config.upper)
    if config.has_wheels:
        return WheeledBody(spec, config.joints, lower, upper, config.wheel_radius, config.wheel_separation)
    return ServoBody(spec, config.joints, lower, upper, config.largest_change)
