"""Minds into bodies: the one place where a world's name becomes an environment for the agent."""

from __future__ import annotations

from functools import partial
from typing import Any

import gymnasium
import robot_agent_sim

from robot_agent.errors import BodyError
from robot_agent.run.config import RunConfig
from robot_agent.run.life import MakeBody


def make_body(world: str, **options: Any) -> gymnasium.Env[Any, Any]:
    """`robot_agent_sim.make`, whose refusals are ours.

    Raises:
        BodyError: there is no such world, or it does not fit an agent.
    """
    try:
        return robot_agent_sim.make(world, **options)
    except ValueError as error:
        raise BodyError(str(error)) from error


def body_factory(config: RunConfig) -> MakeBody:
    """Builds the body of a run; picklable, so that another process can build the same."""
    return partial(
        make_body,
        config.world,
        streams=config.streams,
        camera_size=config.camera_size,
        action_repeat=config.action_repeat,
        body=config.body,
        randomise=config.randomise_body,
    )
