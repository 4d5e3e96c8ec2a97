"""What the agent may act on: a frame and a joint state that are fresh, whole and of one moment. No ROS in here."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
CLOCK_SLACK = 0.05
"""s by which two clocks may drift apart between two looks before one of them has jumped."""
_READINGS = 64
_LONGEST_APART = 0.5
"""s that two readings may lie apart to tell a velocity."""


class Refused(Exception):
    """A message cannot be acted on; `name` says why in one word that diagnostics count.

    Args:
        name: of the refusal.
        sentence: what came and what was expected.
    """

    def __init__(self, name: str, sentence: str = "") -> None:
        super().__init__(sentence or name)
        self.name = name


class Sample(NamedTuple, Generic[T]):
    """What a sensor said, and when that was, s of ROS's clock."""

    stamp: float
    what: T


@dataclass
class Feed(Generic[T]):
    """The newest usable message of one sensor.

    Attributes:
        name: of the sensor, with which its refusals begin.
        newest: None before the first, and after a clock jumped.
        refused: messages that were not used, by name.
        fault: why the last one was not, as long as none was used since.
        sentence: the same in words.
    """

    name: str
    newest: Sample[T] | None = None
    refused: Counter[str] = field(default_factory=Counter)
    fault: str = ""
    sentence: str = ""

    def offer(
        self, stamp: float, now: float, read: Callable[[], T], largest_age: float, future_tolerance: float
    ) -> bool:
        """Takes a message if it is usable; returns whether it is.

        Args:
            stamp, now: s of ROS's clock.
            read: makes something of it, or raises `Refused`.
            largest_age, future_tolerance: s.
        """
        try:
            if stamp > now + future_tolerance:
                raise Refused(f"{self.name}_from_the_future", f"its stamp is {stamp - now:.3f} s ahead of our clock")
            if now - stamp > largest_age:
                raise Refused(f"{self.name}_from_the_past", f"it was {now - stamp:.3f} s old when it came")
            if self.newest is not None and stamp <= self.newest.stamp:
                raise Refused(f"{self.name}_out_of_order", "its stamp is not newer than the last one's")
            self.newest = Sample(stamp, read())
        except Refused as why:
            self.refuse(why)
            return False
        self.fault = self.sentence = ""
        return True

    def refuse(self, why: Refused) -> None:
        """A message was not used."""
        self.refused[why.name] += 1
        self.fault, self.sentence = why.name, str(why)

    def fresh(self, now: float, largest_age: float) -> Sample[T]:
        """The newest message.

        Raises:
            Refused: there is none, or it is too old; named after what was wrong with those that came since, if any.
        """
        if self.newest is None:
            raise Refused(self.fault or f"{self.name}_missing", self.sentence or f"no {self.name} has come yet")
        age = now - self.newest.stamp
        if age > largest_age:
            raise Refused(
                self.fault or f"{self.name}_stopped", self.sentence or f"the last {self.name} is {age:.3f} s old"
            )
        return self.newest

    def forget(self) -> None:
        """No message of before counts any more."""
        self.newest = None


def together(one: Sample[Any], other: Sample[Any], largest_skew: float) -> None:
    """Refuses two samples of different moments.

    Raises:
        Refused: their stamps are further apart than `largest_skew` s.
    """
    apart = abs(one.stamp - other.stamp)
    if apart > largest_skew:
        raise Refused(
            "camera_and_joints_apart", f"their stamps are {apart:.3f} s apart, expected {largest_skew:g} s at most"
        )


class Readings:
    """Where joints were lately, for their velocity as the worlds have it: from two readings a control frame apart.

    Args:
        frame: s of a control frame.
    """

    def __init__(self, frame: float) -> None:
        self.frame = frame
        self._kept: deque[Sample[NDArray[np.float64]]] = deque(maxlen=_READINGS)

    def add(self, stamp: float, position: NDArray[np.float64]) -> None:
        """Joints were at `position`, rad (n,), at `stamp`, s of ROS's clock."""
        self._kept.append(Sample(stamp, position))

    def velocity(self, now: Sample[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Of joints that are where `now` says, rad/s (n,); 0 where nothing is known of shortly before."""
        earlier = [one for one in self._kept if 0 < now.stamp - one.stamp <= _LONGEST_APART]
        if not earlier:
            return np.zeros_like(now.what)
        before = min(earlier, key=lambda one: abs(now.stamp - self.frame - one.stamp))
        velocity: NDArray[np.float64] = (now.what - before.what) / (now.stamp - before.stamp)
        return velocity

    def forget(self) -> None:
        """No reading of before counts any more."""
        self._kept.clear()


class ClockWatch:
    """Notices when ROS's clock jumps.

    Args:
        simulated: time is a simulator's, which may stand still or run fast; only backwards is a jump then.
    """

    def __init__(self, simulated: bool = False) -> None:
        self.simulated = simulated
        self._last: tuple[float, float] | None = None

    def jumped(self, ros: float, steady: float) -> bool:
        """Whether it did since the last call; s of ROS's clock and of one that never jumps."""
        last, self._last = self._last, (ros, steady)
        if last is None:
            return False
        passed = ros - last[0]
        return passed < 0 if self.simulated else abs(passed - (steady - last[1])) > CLOCK_SLACK
