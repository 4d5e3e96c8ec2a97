"""Which worlds can be a body on ROS."""

from __future__ import annotations

import robot_agent_sim
from robot_agent_sim.live import LiveWorld
from robot_agent_sim.mujoco_env import MujocoEnv

from robot_agent_ros.errors import ParameterError


def build_world(name: str) -> MujocoEnv:
    """The world, with its camera, without what wraps it for agents that step.

    Raises:
        ParameterError: there is no such world, or it is not one that is made here.
    """
    try:
        world = robot_agent_sim.make(name, streams=("camera", "proprio")).unwrapped
    except ValueError as error:
        raise ParameterError(f"world: {error}") from error
    if not isinstance(world, MujocoEnv):
        raise ParameterError(f"world is {name!r}, expected one that is made here, such as servo-arm/reach")
    return world


def live_world(name: str, tick: float, seed: int) -> LiveWorld:
    """The world as it goes on by itself.

    Raises:
        ParameterError: it cannot be a body.
    """
    try:
        return LiveWorld(build_world(name), tick, seed)
    except ValueError as error:
        raise ParameterError(f"world {name!r} cannot be a body on ROS: {error}") from error


def camera_of(world: LiveWorld, name: str) -> str:
    """The camera's name; empty means the one that agents see.

    Raises:
        ParameterError: the world has no such camera.
    """
    there = world.cameras()
    if not name:
        return next(key.removeprefix("camera/") for key in world.world.observation_space.spaces if "/" in key)
    if name not in there:
        raise ParameterError(f"camera is {name!r}, expected one of {', '.join(there)}")
    return name
