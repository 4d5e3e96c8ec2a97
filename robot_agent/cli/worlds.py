"""`robot-agent worlds`: every world that can be named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import robot_agent_sim
import tyro

from robot_agent.errors import BodyError


@dataclass(frozen=True)
class WorldsCommand:
    """Lists every world, one a line: its name, the streams it offers, and what it is."""

    filter: tyro.conf.Positional[str] = ""
    """Only names that contain this."""


def parse(argv: Sequence[str]) -> WorldsCommand:
    """The command line as a config; raises SystemExit on flags that there are not."""
    return tyro.cli(WorldsCommand, args=list(argv), prog="robot-agent worlds")


def run(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    command = parse(argv)
    worlds = [world for world in robot_agent_sim.list_worlds() if command.filter in world.name]
    if not worlds:
        raise BodyError(f"no world's name contains {command.filter!r}: leave the filter out")
    width = max(len(world.name) for world in worlds)
    for world in worlds:
        print(f"{world.name:<{width}}  {'+'.join(world.streams):<15}  {world.description}")
    return 0
