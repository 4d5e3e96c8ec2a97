"""Minds into bodies: the one place where a world's name becomes an environment for the agent."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import robot_agent_sim

from robot_agent.errors import BodyError, RunError
from robot_agent.run.config import RunConfig
from robot_agent.run.life import MakeBody


def make_body(world: str, opponent: str = "scripted", device: str = "auto", **options: Any) -> gymnasium.Env[Any, Any]:
    """`robot_agent_sim.make`, whose refusals are ours.

    Args:
        world: its name.
        opponent: the name of a behaviour, or the folder of a run, whose agent acts.
        device: where the mind of that agent computes.
        options: others of `robot_agent_sim.make`.

    Raises:
        BodyError: there is no such world, or it does not fit an agent.
        RunError: the opponent is neither a behaviour nor the folder of a run.
    """
    behaviour: Any = opponent
    if opponent not in robot_agent_sim.OPPONENTS:
        from robot_agent.cli.opponent import RunOpponent

        if not Path(opponent).is_dir():
            names = ", ".join(robot_agent_sim.OPPONENTS)
            raise RunError(f"the opponent is {opponent!r}, expected {names}, or the folder of a run")
        behaviour = RunOpponent(Path(opponent), device)
    try:
        return robot_agent_sim.make(world, opponent=behaviour, **options)
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
        opponent=config.opponent,
        device=config.device,
    )
