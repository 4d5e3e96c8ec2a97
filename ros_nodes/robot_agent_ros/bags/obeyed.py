"""Which orders counted: what the gate of the recording let through, and what the robot moved for."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from robot_agent_bodies.gate.status import Status

from robot_agent_ros.bags.joints import Moved
from robot_agent_ros.bags.orders import Order

GATE_SILENCE = 0.35
"""s without a word of the gate after which nobody obeyed; it speaks 10 times a second."""
GATE_OBEYS = (Status.FOLLOWING.value, Status.HOLDING.value)
"""What the gate does when it lets fresh commands through."""
OBEYED_WITHIN = 1.0
"""s in which a robot that obeys has moved."""
STILL = 0.02
"""Of what was commanded: joints that move less did not obey."""
ASKED = 0.1
"""rad that commands must move before a robot that does not move is one that does not obey."""


class Word(NamedTuple):
    """What the gate said: when (s of its clock), what it does, and how many commands it has accepted, if it says so."""

    published: float
    does: str
    accepted: int | None


def not_accepted(orders: list[Order], accepted: AbstractSet[int]) -> list[Order]:
    """The same orders, with those marked that are not among the accepted: the stamps of commands, ns."""
    return _refused(orders, [order.stamp not in accepted for order in orders])


def refused_by_gate(orders: list[Order], statuses: list[Word]) -> list[Order]:
    """The same orders, with those marked that the gate refused, or may have refused.

    For recordings without the stamps of accepted commands. The gate counts what it accepts, and says the count ten
    times a second: between two of its words either all commands counted, or nobody knows which.
    """
    if not statuses:
        return orders
    statuses = sorted(statuses, key=lambda status: status.published)
    said = np.array([status.published for status in statuses])
    given = np.array([order.published for order in orders])
    after = np.searchsorted(said, given)  # the first word after each command
    refused = np.zeros(len(orders), np.bool_)
    for number, word in enumerate(after):
        near = [statuses[index] for index in (word - 1, word) if 0 <= index < len(statuses)]
        near = [status for status in near if abs(status.published - given[number]) < GATE_SILENCE]
        refused[number] = not any(status.does in GATE_OBEYS for status in near)
    counts = [status.accepted for status in statuses]
    if None not in counts:
        missing = np.searchsorted(np.sort(given), said, "right") - np.array(counts)
        # A command on its way while the gate speaks is missing once; one that was refused stays so.
        lasting = np.minimum(missing, np.append(missing[1:], missing[-1] - 1))
        restarts = np.append(False, np.diff(np.array(counts)) < 0)
        doubtful = np.append(False, np.diff(lasting) > 0) & ~restarts
        doubtful[-1] |= doubtful[-2:].any()  # what comes at the end is not known to last
        refused |= doubtful[np.minimum(after, len(doubtful) - 1)]
    return _refused(orders, refused)


def _refused(orders: list[Order], by_gate: Iterable[bool]) -> list[Order]:
    why = "the gate did not let it through, by what it says in the recording"
    return [
        replace(order, refused="refused_by_gate", sentence=why) if no and not order.refused else order
        for order, no in zip(orders, by_gate, strict=True)
    ]


def not_obeyed(orders: list[Order], moved: Moved) -> list[Order]:
    """The same orders, with those marked after which commands moved and no joint did."""
    judged = []
    at = np.array([order.at for order in orders])
    for number, order in enumerate(orders):
        until = int(np.searchsorted(at, order.at + OBEYED_WITHIN))
        wanted = np.array([one.wanted for one in orders[number:until] if one.wanted is not None])
        first, last = np.searchsorted(moved.stamps, (order.at, order.at + 1.5 * OBEYED_WITHIN))
        asked = np.ptp(wanted, axis=0).max() if len(wanted) else 0.0
        went = np.ptp(moved.positions[first:last], axis=0).max() if last > first else 0.0
        if not order.refused and last - first > 2 and asked > ASKED and went < STILL * asked:
            sentence = f"commands moved by {asked:.2f} rad, and no joint by more than {went:.4f} rad"
            order = replace(order, refused="not_obeyed", sentence=sentence)
        judged.append(order)
    return judged
