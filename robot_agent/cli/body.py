"""Minds into bodies: the one place where a world's name becomes an environment for the agent."""

from __future__ import annotations

from functools import partial

import robot_agent_sim

from robot_agent.run.config import RunConfig
from robot_agent.run.life import MakeBody


def body_factory(config: RunConfig) -> MakeBody:
    """Builds the body of a run; picklable, so that another process can build the same."""
    return partial(
        robot_agent_sim.make,
        config.world,
        streams=config.streams,
        camera_size=config.camera_size,
        action_repeat=config.action_repeat,
    )
