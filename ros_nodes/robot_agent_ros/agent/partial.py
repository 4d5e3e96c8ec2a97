"""Joint states of all joints or of some, as one sample."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robot_agent_ros.messages.joints import JointStateMessage, read_some_joints


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

    @property
    def missing(self) -> list[str]:
        """The joints that have not come since all came last."""
        return [name for name in self.joints if name not in self._new]

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

    def forget(self) -> None:
        """Drops what has come so far."""
        self._parts.clear()
        self._new.clear()
