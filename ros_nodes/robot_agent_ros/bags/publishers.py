"""Whether one or two spoke on a topic: by the numbers that publishers give their messages, or by values that jump."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from robot_agent_bags.bag import Bag
from robot_agent_bags.errors import BagError

SEVERAL = 5
"""Times that something must happen before it is no accident."""
OFTEN = 0.01
"""Of all messages, the same for values: encoders err now and then."""
JUMP = 0.1
"""rad by which joint states jump if they are of two robots."""
FASTEST = 20.0
"""rad/s of a joint or a wheel: what is faster has not moved."""
BEYOND = 1.5
"""Full actions between two commands that no single agent gives."""
BACK = 0.3
"""Of a jump: what returns nearer to where it was before has jumped back."""
SOON = 4
"""Messages within which it does."""


def check_numbers(bag: Bag, topic: str, numbers: Sequence[int]) -> None:
    """Refuses a topic on which two numbered their messages: what is mixed is what nobody did.

    Raises:
        BagError: it is so.
    """
    if crossings(numbers) >= SEVERAL:
        raise BagError(_sentence(bag, topic, "the numbers of messages cross"))


def check_jumps(bag: Bag, topic: str, away: NDArray[np.bool_]) -> None:
    """Refuses a topic whose values are astray (m,) as often as those of two publishers are.

    Raises:
        BagError: it is so.
    """
    jumps = int(np.count_nonzero(np.diff(away.astype(int)) > 0))
    if jumps >= SEVERAL and jumps > OFTEN * len(away):
        raise BagError(_sentence(bag, topic, f"values jump there and back {jumps} times"))


def crossings(numbers: Sequence[int]) -> int:
    """How often a message's number does not rise and soon goes on from the one before; a restart does not go on."""
    count = 0
    for place in range(1, len(numbers)):
        before = numbers[place - 1]
        count += numbers[place] <= before < max(numbers[place + 1 : place + 1 + SOON], default=0)
    return count


def astray(values: NDArray[np.float64], smallest: float | NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of some values (m, n) are beyond `smallest` from those before and after, that are near each other; (m,).

    Args:
        smallest: of all jumps, or of each (m - 1,).
    """
    away = np.zeros(len(values), np.bool_)
    jumps = np.abs(np.diff(values, axis=0)).max(axis=1, initial=0.0)
    for place in np.flatnonzero(jumps > smallest) + 1:
        if not away[place - 1]:  # else it jumps back now
            after = np.abs(values[place + 1 : place + 1 + SOON] - values[place - 1]).max(axis=1)
            back = np.flatnonzero(after < BACK * jumps[place - 1])
            if len(back):
                away[place : place + 1 + back[0]] = True
    return away


def _sentence(bag: Bag, topic: str, how: str) -> str:
    return (
        f"two publishers spoke on {topic} in {bag.path} ({how}): what came of which is not known; record again "
        "with one, or name another topic with --topic"
    )
