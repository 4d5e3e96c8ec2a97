"""Whether one or two spoke on a topic: by the numbers that publishers give their messages, or by values that jump."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from robot_agent_bags.bag import Bag
from robot_agent_bags.errors import BagError

from robot_agent_ros.agent.body import RobotBody, ServoBody
from robot_agent_ros.bags.orders import Order
from robot_agent_ros.bags.roles import COMMANDS, JOINTS, Role

SEVERAL = 5
"""Times that something must happen before it is no accident."""
OFTEN = 0.05
"""Of all messages, the same."""
JUMP = 0.1
"""rad between two joint states that no joint moves in between."""
BEYOND = 1.5
"""Full actions between two commands that no single agent gives."""
BACK = 0.3
"""Of a jump: what returns nearer to where it was before has jumped back."""
_SOON = 4


def check_one_publisher(
    bag: Bag,
    topic_of: Mapping[Role, str],
    sequences: Mapping[Role, Sequence[int]],
    positions: NDArray[np.float64],
    orders: Sequence[Order],
    body: RobotBody,
) -> None:
    """Refuses a recording in which two speak on one topic: what is mixed is what nobody did.

    Args:
        sequences: the numbers of messages, by role.
        positions: of joints (m, n), rad.
        orders: that were given.

    Raises:
        BagError: it is so.
    """
    for role, numbers in sequences.items():
        if numbers_cross(numbers):
            raise BagError(_sentence(bag, topic_of[role], "the numbers of messages cross"))
    jumps = jumps_back(positions, JUMP)
    if _is_often(jumps, len(positions)):
        raise BagError(_sentence(bag, topic_of[JOINTS], f"joints jump there and back {jumps} times"))
    if isinstance(body, ServoBody):
        wanted = np.array([order.wanted for order in orders if order.wanted is not None])
        jumps = jumps_back(wanted.reshape(-1, len(body.joints)), BEYOND * body.largest_change)
        if _is_often(jumps, len(wanted)):
            raise BagError(_sentence(bag, topic_of[COMMANDS], f"commands jump there and back {jumps} times"))


def numbers_cross(numbers: Sequence[int]) -> bool:
    """Whether the messages' numbers are of two publishers: one's only rise, but for when it starts again."""
    if len(set(numbers)) < 2:  # nobody numbered them
        return False
    return _is_often(int(np.count_nonzero(np.diff(np.array(numbers, np.int64)) <= 0)), len(numbers))


def jumps_back(values: NDArray[np.float64], smallest: float) -> int:
    """How often values (m, n) jump by more than `smallest` and are back within a few messages."""
    if len(values) < 3:
        return 0
    jumps = np.abs(np.diff(values, axis=0)).max(axis=1)
    back = np.zeros(len(jumps), np.bool_)
    for later in range(2, _SOON + 2):
        apart = np.abs(values[later:] - values[:-later]).max(axis=1)
        back[: len(apart)] |= apart < BACK * jumps[: len(apart)]
    return int(np.count_nonzero(back & (jumps > smallest)))


def _is_often(times: int, of: int) -> bool:
    return times >= SEVERAL and times > OFTEN * of


def _sentence(bag: Bag, topic: str, how: str) -> str:
    return (
        f"two publishers spoke on {topic} in {bag.path} ({how}): what came of which is not known; record "
        "again with one, or name another topic with --topic"
    )
