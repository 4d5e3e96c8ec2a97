"""One part of a life."""

from __future__ import annotations

from dataclasses import dataclass

from robot_agent_sim.drift.change import Change, Range


@dataclass(frozen=True)
class Chapter:
    """A part of a life.

    Attributes:
        world: its name.
        steps: that it lasts, as the world counts them (an action repeat is one); the episode in which they end is lived
            to its end.
        changes: of the world, on a schedule that counts from the chapter's first step.
        ranges: what is drawn anew for each episode.
    """

    world: str
    steps: int
    changes: tuple[Change, ...] = ()
    ranges: tuple[Range, ...] = ()

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"a chapter in {self.world} has {self.steps} steps, expected at least 1")
