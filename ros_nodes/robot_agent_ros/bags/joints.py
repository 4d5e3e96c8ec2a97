"""Where the joints of a recording were, from messages of all joints or of some."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from robot_agent_ros.messages.joints import JointStateMessage, read_some_joints

LONGEST = 1.0
"""s after a joint state in which it still says where the joints are."""


@dataclass
class Partial:
    """Joint states that come in one message or in several, put together.

    Args:
        joints: names, in the order of the body.
        largest_age: s that the oldest part may be older than the newest.
    """

    joints: tuple[str, ...]
    largest_age: float
    _parts: dict[str, tuple[float, float]] = field(default_factory=dict)
    _new: set[str] = field(default_factory=set)

    def add(self, message: JointStateMessage, stamp: float) -> tuple[float, NDArray[np.float64]] | None:
        """All positions (n,) and the oldest stamp among them, once each joint has come since the last time.

        Raises:
            MessageError: a number that makes no sense.
        """
        found = read_some_joints(message, self.joints)
        self._parts |= {name: (stamp, joint.position) for name, joint in found.items()}
        self._new |= found.keys()
        if len(self._new) < len(self.joints):
            return None
        stamps, positions = zip(*(self._parts[name] for name in self.joints), strict=True)
        if max(stamps) - min(stamps) > self.largest_age:
            self._new = {name for name in self.joints if self._parts[name][0] >= max(stamps) - self.largest_age}
            return None
        self._new.clear()
        return min(stamps), np.array(positions)


class Moved(NamedTuple):
    """Where joints were: s of ROS's clock (m,), and rad (m, n)."""

    stamps: NDArray[np.float64]
    positions: NDArray[np.float64]

    def at(self, stamp: float) -> NDArray[np.float64] | None:
        """At a time (n,); None if nothing is known of shortly before."""
        if not len(self.stamps):
            return None
        index = int(np.searchsorted(self.stamps, stamp, "right")) - 1
        near = index >= 0 and stamp - self.stamps[index] < LONGEST
        return self.positions[index] if near else None
