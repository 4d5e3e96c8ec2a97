"""What was asked of the robot, and when: commands of every kind as one stream of decisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from robot_agent_bags.bag import Recorded

from robot_agent_ros.agent.body import RobotBody
from robot_agent_ros.agent.commands import read_commanded
from robot_agent_ros.messages.error import MessageError
from robot_agent_ros.messages.stamps import NANOSECONDS, to_nanoseconds

Point = tuple[float, NDArray[np.float64]]
SLOW = 1.25
"""Control periods between two commands beyond which a stream is not one of decisions at this rate."""
FAST = 0.75
"""Control periods between two commands below which only some of them are decisions."""


@dataclass(frozen=True)
class Order:
    """Something that was asked of the robot.

    Attributes:
        number: of the message that it came in, among the commands.
        step: 0 for what counts at once; of a trajectory, the control periods after that.
        at: s of ROS's clock, when it was to be obeyed.
        stamp: of the message, ns; 0 for none.
        published: s of the publisher's clock.
        wanted: of each joint (n,), as `RobotBody` has it; None if it cannot be read.
        refused: why it is no action, in one word; empty for one.
        sentence: the same in words.
    """

    number: int
    at: float
    stamp: int
    published: float
    wanted: NDArray[np.float64] | None
    refused: str = ""
    sentence: str = ""
    step: int = 0


def read_order(one: Recorded, number: int, body: RobotBody, now: float) -> tuple[Order, list[Point]]:
    """The order of a message, and its points: s after it begins, and of each joint (n,).

    Args:
        number: of the message.
        now: s of ROS's clock when it was published.
    """
    header = getattr(one.message, "header", None)
    stamp = to_nanoseconds(header.stamp) if header is not None else 0
    at = stamp / NANOSECONDS if stamp else now  # without a stamp: at once
    try:
        points = read_commanded(one.message, body)
    except MessageError as error:
        return Order(number, at, stamp, one.published, None, "command_unreadable", str(error)), []
    return Order(number, at, stamp, one.published, points[0][1]), points


def spread(
    order: Order, points: Sequence[Point], before: NDArray[np.float64] | None, dt: float, until: float
) -> Iterator[Order]:
    """The orders of a trajectory: each control period where it is to be at the end of it, until another replaces it.

    Args:
        order: of its first point.
        points: all of them, s after `order.at`.
        before: what was wanted before (n,), from where it goes to its first point; None if nobody knows.
        dt: s of a control period.
        until: s of ROS's clock.
    """
    if points[0][0] > 0 and before is not None:
        points = [(0.0, before), *points]
    after = np.array([after for after, _ in points])
    columns = np.array([wanted for _, wanted in points]).T
    for step in range(max(1, round(after[-1] / dt))):
        at = order.at + step * dt
        if step and at >= until - dt / 2:
            return
        wanted = np.array([np.interp((step + 1) * dt, after, one) for one in columns])
        yield replace(order, at=at, wanted=wanted, step=step)


def spacing_of(orders: Sequence[Order]) -> float | None:
    """s between two commands, the median; None of fewer than two."""
    between = [later.at - before.at for before, later in pairwise(orders)]
    return float(np.median(between)) if between else None


def thinned(orders: Iterable[Order], spacing: float, dt: float) -> list[Order]:
    """Of a stream that is faster than control periods about one order each period, and all that are none."""
    kept: list[Order] = []
    due = -np.inf
    for order in orders:
        if order.refused:
            kept.append(order)
            continue
        late = order.at - due
        if late < -spacing / 2 and late > -2 * dt:
            continue
        kept.append(order)
        due = due + dt if abs(late) < dt else order.at + dt  # after a pause, or a clock that jumped, anew
    return kept
