"""One change of a world: what, by how much, and when."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, isfinite, tau


@dataclass(frozen=True)
class Change:
    """Something about a world that differs from how it was made, for some part of a life.

    Its amount goes from 0, as made, to 1, as `to` says: at once, or along a ramp; once, or again and again.

    Attributes:
        what: a name of `drift.effects.EFFECTS`, which say what `to` means and in which unit.
        to: the value when the change is complete.
        target: the name of the body, joint, actuator or camera that changes; empty for all.
        at: control step of the life at which it begins.
        over: control steps that it takes, 0 for at once.
        until: control step at which all is as made again, None for never.
        every: control steps after which it comes again, 0 for once; it is there for the first half of each period, and
            with `over` it comes and goes smoothly in each.
    """

    what: str
    to: float
    target: str = ""
    at: int = 0
    over: int = 0
    until: int | None = None
    every: int = 0

    def __post_init__(self) -> None:
        for name in ("at", "over", "every"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} of a change is {getattr(self, name)}, expected at least 0")
        if not isfinite(self.to):
            raise ValueError(f"a change of {self.what} goes to {self.to}, expected a finite number")
        if self.until is not None and self.until <= self.at:
            raise ValueError(f"a change ends at {self.until} and begins at {self.at}, expected an end after the start")

    @property
    def name(self) -> str:
        """What changes, and of what."""
        return f"{self.what}:{self.target}" if self.target else self.what

    def amount(self, step: int) -> float:
        """How much of the change there is at a control step of the life, 0 to 1."""
        if step < self.at or (self.until is not None and step >= self.until):
            return 0.0
        since = step - self.at
        if self.every:
            phase = since % self.every / self.every
            return 0.5 - 0.5 * cos(tau * phase) if self.over else float(phase < 0.5)
        return min(1.0, since / self.over) if self.over else 1.0


@dataclass(frozen=True)
class Range:
    """A change that is drawn anew for each episode: domain randomisation.

    Attributes:
        what: as of `Change`.
        low: least value.
        high: greatest value.
        target: as of `Change`.
    """

    what: str
    low: float
    high: float
    target: str = ""

    def __post_init__(self) -> None:
        if not (isfinite(self.low) and isfinite(self.high) and self.low <= self.high):
            raise ValueError(
                f"the range of {self.what} is {self.low} to {self.high}, expected two finite numbers, the lower first"
            )

    @property
    def name(self) -> str:
        """What changes, and of what."""
        return f"{self.what}:{self.target}" if self.target else self.what
