"""What a scenario gets and what it returns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import rclpy

from tests.ros_graph import Processes, alone


@dataclass(frozen=True)
class Outcome:
    """What a scenario counted.

    Attributes:
        outputs: messages that moved the fake robot, or its controller.
        beyond: those of them that took it beyond a limit: position, velocity, or a jump.
        transitions: that the agent kept.
        never: those of them that never happened: the robot did not get the action that they hold.
    """

    outputs: int = 0
    beyond: int = 0
    transitions: int = 0
    never: int = 0


@dataclass(frozen=True)
class Stage:
    """Where a scenario plays: rclpy is up in a domain of its own, and `processes` end with it."""

    folder: Path
    processes: Processes


Scenario = Callable[[Stage], Outcome]
"""Plays one fault; asserts what else must be so: what is said, that it moves where it may."""


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Everything that a scenario starts is gone at the end."""
    os.environ.update(alone())
    rclpy.init()
    try:
        with Processes(folder) as processes:
            yield Stage(folder, processes)
    finally:
        rclpy.try_shutdown()
