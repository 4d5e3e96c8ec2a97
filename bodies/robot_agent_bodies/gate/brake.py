"""The fastest stop of one joint with bounded acceleration and jerk, in closed form.

It is what every other motion is judged by: a state is safe if this stop, begun there, keeps all limits, and a stop that
was begun in a safe state stays safe, since what is left of it is the fastest stop from there.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class State(NamedTuple):
    """Of one joint: rad, rad/s, rad/s² (m for a sliding joint)."""

    position: float
    velocity: float
    acceleration: float


class Phase(NamedTuple):
    """Some seconds of constant jerk (rad/s³)."""

    seconds: float
    jerk: float


def moved(state: State, seconds: float, jerk: float) -> State:
    """The state after some seconds of constant jerk."""
    p, v, a = state
    t = seconds
    return State(p + t * (v + t * (a / 2 + t * jerk / 6)), v + t * (a + t * jerk / 2), a + t * jerk)


def stop(state: State, acceleration: float, jerk: float) -> tuple[Phase, Phase, Phase]:
    """The phases of the fastest stop.

    Let d be the direction of the velocity that is left once the acceleration has gone to 0 with full jerk, and v, a
    the state seen along d. The stop brakes against d: jerk -J until the acceleration is -P, then none, then +J until it
    is 0. What it takes from v is (2 P² - a²) / 2 J, so without the phase in the middle P = √(J v + a² / 2); where that
    is beyond the limit A, P = A and the middle lasts (v - (2 A² - a²) / 2 J) / A.

    Args:
        state: to start from, its acceleration within the limit.
        acceleration, jerk: limits A and J, positive.
    """
    v, a = state.velocity, state.acceleration
    along = 1.0 if v + a * abs(a) / (2 * jerk) >= 0 else -1.0
    v, a = along * v, along * a
    peak, middle = math.sqrt(max(0.0, jerk * v + a * a / 2)), 0.0
    if peak > acceleration:
        peak = acceleration
        middle = max(0.0, (v - (2 * peak * peak - a * a) / (2 * jerk)) / peak)
    first = max(0.0, (a + peak) / jerk)
    return Phase(first, -along * jerk), Phase(middle, 0.0), Phase(peak / jerk, along * jerk)


class Extent(NamedTuple):
    """How far a stop goes: lowest and highest position, and the fastest speed on the way."""

    low: float
    high: float
    speed: float


def stopping_extent(state: State, acceleration: float, jerk: float) -> Extent:
    """How far the fastest stop from a state goes.

    Its velocity changes sign at most once, and only where it first moves against the direction in which it ends.
    """
    phases = stop(state, acceleration, jerk)
    end = state
    for phase in phases:
        end = moved(end, *phase)
    turn = state.position
    v, a = state.velocity, state.acceleration
    left = v + a * abs(a) / (2 * jerk)  # the velocity when the acceleration has gone to 0
    if v * left < 0:
        along = math.copysign(1.0, left)
        root = math.sqrt(max(0.0, a * a + 2 * along * jerk * v))
        turn = moved(state, max(0.0, (along * a - root) / jerk), -along * jerk).position
    speed = max(abs(v), abs(left)) if v * a >= 0 or v * left < 0 else abs(v)
    return Extent(min(state.position, turn, end.position), max(state.position, turn, end.position), speed)
