"""A motion of one joint as phases of constant jerk, which is what planners answer and what cubics reproduce exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from robot_agent_bodies.gate.brake import Phase, State, moved


@dataclass(frozen=True)
class Motion:
    """Phases of constant jerk from a state, and rest after them.

    Attributes:
        start: where it begins.
        phases: one after the other; the last one ends at rest, up to rounding.
    """

    start: State
    phases: tuple[Phase, ...] = ()

    @property
    def seconds(self) -> float:
        """Until it rests."""
        return sum(phase.seconds for phase in self.phases)

    def after(self, seconds: float) -> Motion:
        """What is left of it after some seconds."""
        return Motion(self.at(seconds), tuple(section(self.phases, seconds, self.seconds)))

    def at(self, seconds: float) -> State:
        """The state after some seconds; at rest, exactly, when it is over."""
        return next(self.walk((seconds,)))

    def walk(self, times: Iterable[float]) -> Iterator[State]:
        """The states at times (s) that do not decrease."""
        state, passed, phases = self.start, 0.0, iter(self.phases)
        phase = next(phases, None)
        for time in times:
            while phase is not None and time - passed > phase.seconds:
                state, passed = moved(state, *phase), passed + phase.seconds
                phase = next(phases, None)
            yield State(state.position, 0.0, 0.0) if phase is None else moved(state, time - passed, phase.jerk)

    def ends(self) -> Iterator[float]:
        """When each phase ends: s."""
        seconds = 0.0
        for phase in self.phases:
            seconds += phase.seconds
            yield seconds


def section(phases: Sequence[Phase], begin: float, end: float) -> Iterator[Phase]:
    """What lies between two times of phases, both in seconds; steady acceleration beyond their end."""
    passed = 0.0
    for phase in phases:
        low, high = max(begin, passed), min(end, passed + phase.seconds)
        if high > low:
            yield Phase(high - low, phase.jerk)
        passed += phase.seconds
    if end > max(begin, passed):
        yield Phase(end - max(begin, passed), 0.0)


def extremes(state: State, phase: Phase) -> Iterator[State]:
    """The end of a phase, and the states inside it at which velocity or acceleration passes through 0."""
    (_, v, a), (seconds, jerk) = state, phase
    times = [seconds]
    if jerk != 0:
        times.append(-a / jerk)
        below = a * a - 2 * jerk * v
        if below >= 0:
            times += [(-a - math.sqrt(below)) / jerk, (-a + math.sqrt(below)) / jerk]
    elif a != 0:
        times.append(-v / a)
    for time in times:
        if 0 < time <= seconds:
            yield moved(state, time, jerk)
