"""Which publishers send the same joints. No rclpy in here."""

from __future__ import annotations

from collections.abc import Iterable


class Sources:
    """Tells publishers apart by the joints that they send; several may share a robot's joints among them.

    The publisher that sent a joint first is believed; another one of the same joint is its rival. A publisher counts
    until it has been silent for some time.

    Args:
        silence: s.
    """

    def __init__(self, silence: float) -> None:
        self.silence = silence
        self._heard: dict[str, dict[bytes, float]] = {}

    def believes(self, publisher: bytes, joints: Iterable[str], now: float) -> bool:
        """Hears a publisher; returns whether it is the one that is believed for each of these joints."""
        believed = True
        for joint in joints:
            heard = self._lately(joint, now)
            heard[publisher] = now
            believed &= next(iter(heard)) == publisher
        return believed

    def rivals(self, now: float) -> tuple[bytes, ...]:
        """The publishers of joints that have more than one, the believed ones first; empty if there are none."""
        found: dict[bytes, None] = {}
        for joint in self._heard:
            heard = self._lately(joint, now)
            if len(heard) > 1:
                found |= dict.fromkeys(heard)
        return tuple(found)

    def _lately(self, joint: str, now: float) -> dict[bytes, float]:
        """When each publisher of a joint was heard last, in the order in which they began."""
        heard = {one: at for one, at in self._heard.get(joint, {}).items() if now - at <= self.silence}
        self._heard[joint] = heard
        return heard
