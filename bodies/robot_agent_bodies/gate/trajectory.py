"""What a `joint_trajectory_controller` gets: all that the robot may do from a moment on, stop included.

The controller replaces what it does by each trajectory: cubics lead from what it wants at that moment to the first
point, and from point to point. It refuses one that ends with a velocity, and it goes on with the last one it took. So
each trajectory says what comes next and how it ends at rest, in absolute time: a message that comes a little later, or
not at all, changes nothing but when the next command counts. Motions are phases of constant jerk, and the points stand
where phases end, so cubics between points are the motions themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from robot_agent_bodies.gate.limits import JointLimits
from robot_agent_bodies.gate.motion import Motion

_FIRST = 1_000_000
"""ns from the stamp to the first point, since some controllers refuse 0."""
_CLOSEST = 20_000
"""ns between points at least: cubics between closer ones amplify rounding."""


class Point(NamedTuple):
    """Where all joints are at a time.

    Attributes:
        nanoseconds: since the trajectory's stamp.
        positions, velocities: rad and rad/s of each joint (m, m/s).
    """

    nanoseconds: int
    positions: tuple[float, ...]
    velocities: tuple[float, ...]


class Trajectory(NamedTuple):
    """A motion of all joints to rest.

    Attributes:
        stamp: that the points' times are relative to, ns of ROS's clock.
        points: with increasing times; the last one rests.
    """

    stamp: int
    points: tuple[Point, ...]


def trajectory(motions: Sequence[Motion], start: int) -> Trajectory:
    """The points of motions that begin at a time (ns of ROS's clock)."""
    ends = sorted({math.ceil(end * 1e9) for motion in motions for end in motion.ends()})
    last = ends[-1] if ends else 0
    times = [0]
    for end in ends:
        if end - times[-1] >= _CLOSEST and (last - end >= _CLOSEST or end == last):
            times.append(end)
    if times[-1] != last:
        times[-1:] = [last] if len(times) > 1 else [0, last + _CLOSEST]
    states = [motion.walk(time * 1e-9 for time in times) for motion in motions]
    points = []
    for time, joints in zip(times, zip(*states, strict=True), strict=True):
        points.append(
            Point(time + _FIRST, tuple(state.position for state in joints), tuple(state.velocity for state in joints))
        )
    return Trajectory(start - _FIRST, tuple(points))


def approach_seconds(limits: Sequence[JointLimits], distances: Sequence[float]) -> float:
    """The seconds in which a cubic from rest to rest covers distances within velocity and acceleration.

    It is at most 1.5 times as fast as its mean, and accelerates with at most 6 distances per second².
    """
    return max(
        max(1.5 * distance / most.velocity, math.sqrt(6 * distance / most.acceleration))
        for most, distance in zip(limits, distances, strict=True)
    )


def tightened(limits: JointLimits, lead: float) -> JointLimits:
    """Limits that a motion keeps so that the robot keeps `limits`.

    Until the first point, `lead` seconds ahead, the controller goes along a cubic that knows nothing of the phases on
    the way. Its acceleration is a weighted mean of theirs in which some weights are negative, so it is beyond them by a
    share of what jerk changes over the lead: at most 0.2 in a random search over motions and times of messages, and at
    most twice the acceleration where jerk changes more than that.
    """
    change = limits.jerk * lead
    margin = 0.05 * change * lead * lead
    if limits.bounded:
        margin = min(margin, 0.01 * (limits.upper - limits.lower))
    return replace(
        limits,
        lower=limits.lower + margin,
        upper=limits.upper - margin,
        velocity=max(limits.velocity - 0.1 * change * lead, limits.velocity / 2),
        acceleration=max(limits.acceleration - 0.25 * change, limits.acceleration / 2),
    )
