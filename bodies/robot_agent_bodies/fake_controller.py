"""A joint_trajectory_controller to try the gate with: what it takes, and what it makes of that.

It has the rules of ros2_control's own with its defaults, and `interpolate_from_desired_state`: a trajectory that ends
with a velocity is refused, as are times that do not increase and stamps in the past; a trajectory that is taken
replaces the one before, from what is wanted at that moment; between points it goes along cubics where they have
velocities and straight where they have none; after the last point it stays there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from robot_agent_bodies.gate.brake import State


class Knot(NamedTuple):
    """Where all joints are wanted at a time (ns); without velocities if there are none."""

    time: int
    positions: Sequence[float]
    velocities: Sequence[float]


class FakeJointTrajectoryController:
    """What the robot is wanted to do, at any time.

    Args:
        positions: rad, where it begins, at rest.
        now: ns.

    Attributes:
        refused: why trajectories were refused.
        now: ns, up to when it was watched.
    """

    def __init__(self, positions: Sequence[float], now: int) -> None:
        self.refused: list[str] = []
        self.now = now
        self._knots = [Knot(now, tuple(positions), (0.0,) * len(positions))]

    def receive(self, stamp: int, points: Sequence[tuple[int, Sequence[float], Sequence[float]]], now: int) -> str:
        """Takes a trajectory: points of ns since the stamp (0 for now), positions, and velocities or none.

        Returns:
            why it is refused, or an empty text.
        """
        reason = self._refusal(stamp, points, now)
        if reason:
            self.refused.append(reason)
            return reason
        start = stamp or now
        states = self.at(now)
        here = Knot(now, [state.position for state in states], [state.velocity for state in states])
        self.now = now
        self._knots = [here, *(Knot(start + after, positions, velocities) for after, positions, velocities in points)]
        return ""

    def at(self, now: int) -> list[State]:
        """What is wanted of each joint."""
        first, last = self._knots[0], self._knots[-1]
        if now >= last.time:
            return [State(position, 0.0, 0.0) for position in last.positions]
        for begin, end in pairwise(self._knots):
            if now < end.time:
                return [_between(begin, end, joint, (now - begin.time) * 1e-9) for joint in range(len(first.positions))]
        raise AssertionError("knots have increasing times")

    def corners(self, until: int) -> Iterator[list[State]]:
        """Goes on to a time; gives the states between which velocity and acceleration have no extreme."""
        for begin, end in pairwise(self._knots):
            low, high = max(begin.time, self.now), min(end.time, until)
            if high <= low:
                continue
            for time in (low, high):
                yield [_between(begin, end, joint, (time - begin.time) * 1e-9) for joint in range(len(begin.positions))]
            for joint in range(len(begin.positions)):
                ends = [_between(begin, end, joint, (time - begin.time) * 1e-9) for time in (low, high)]
                if ends[0].acceleration * ends[1].acceleration < 0:
                    share = ends[0].acceleration / (ends[0].acceleration - ends[1].acceleration)
                    passed = (low - begin.time + share * (high - low)) * 1e-9
                    yield [_between(begin, end, other, passed) for other in range(len(begin.positions))]
        self.now = max(self.now, until)
        yield self.at(self.now)

    def _refusal(self, stamp: int, points: Sequence[tuple[int, Sequence[float], Sequence[float]]], now: int) -> str:
        joints = len(self._knots[0].positions)
        if not points:
            return "no points"
        for _, positions, velocities in points:
            if len(positions) != joints or len(velocities) not in (0, joints):
                return "not one number for each joint"
            if not all(map(math.isfinite, (*positions, *velocities))):
                return "not finite"
        if any(abs(velocity) > 1e-7 for velocity in points[-1][2]):
            return "the last velocity is not zero"
        if points[0][0] < 0 or any(later[0] <= earlier[0] for earlier, later in pairwise(points)):
            return "times do not increase"
        if (stamp != 0 and stamp < now) or (stamp == 0 and points[-1][0] <= 0):
            return "the stamp is in the past"
        return ""


def _between(begin: Knot, end: Knot, joint: int, seconds: float) -> State:
    """Some seconds after one knot, on the way to the next."""
    span = (end.time - begin.time) * 1e-9
    p, q = begin.positions[joint], end.positions[joint]
    if span <= 0:
        return State(q, end.velocities[joint] if end.velocities else 0.0, 0.0)
    mean = (q - p) / span
    if not end.velocities or not begin.velocities:
        return State(p + mean * seconds, mean, 0.0)
    v, w = begin.velocities[joint], end.velocities[joint]
    half, sixth = (3 * mean - 2 * v - w) / span, (v + w - 2 * mean) / (span * span)
    t = seconds
    return State(p + t * (v + t * (half + t * sixth)), v + t * (2 * half + 3 * t * sixth), 2 * half + 6 * t * sixth)
