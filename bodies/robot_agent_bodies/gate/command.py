"""What somebody asks for, and whether it is sound: complete, finite, of now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from robot_agent_bodies.gate.clocks import Now
from robot_agent_bodies.gate.config import GateConfig
from robot_agent_bodies.gate.status import Refusal

BODY_FRAME = "base_link"
"""The frame of a body itself (REP 105), which any gate's commands may be in."""


@dataclass(frozen=True)
class Command:
    """What somebody asks for.

    Attributes:
        joints, values: names, and rad (or rad/s, m/s); None for values if the message does not hold one for each name.
        stamp: of the decision, ns of ROS's clock.
        source: when it was sent, ns of the sender's system clock.
        publisher: that sent it; None if nobody can tell.
        unused: what else the message says in numbers; they must be finite.
        seconds: after the stamp, in which the values are to be reached; 0 for as soon as limits allow.
        frame: that values are in; empty if the message does not say, or there is none.
    """

    joints: Sequence[str]
    values: Sequence[float] | None
    stamp: int
    source: int
    publisher: bytes | None
    unused: Sequence[float] = ()
    seconds: float = 0.0
    frame: str = ""


def unsound(command: Command, config: GateConfig, now: Now) -> Refusal | None:
    """Why a command counts for no gate of these parameters; None if it is sound."""
    names, values = command.joints, command.values
    if values is None or len(names) != len(values):
        return Refusal.MALFORMED
    if len(set(names)) != len(names):
        return Refusal.DUPLICATE_JOINT
    if any(name not in config.joints for name in names):
        return Refusal.UNKNOWN_JOINT
    if len(names) != len(config.joints):
        return Refusal.MISSING_JOINT
    if not all(map(math.isfinite, (*values, *command.unused, command.seconds))):
        return Refusal.NON_FINITE
    if command.seconds < 0:
        return Refusal.MALFORMED
    if command.frame not in ("", BODY_FRAME, config.frame_id):
        return Refusal.WRONG_FRAME
    age, sent = (now.ros - command.stamp) * 1e-9, (now.system - command.source) * 1e-9
    if age > config.command_timeout:
        return Refusal.STALE_STAMP
    if age < -config.future_tolerance:
        return Refusal.FUTURE_STAMP
    if command.source <= 0 or sent > config.command_timeout:
        return Refusal.STALE_SOURCE
    return Refusal.FUTURE_SOURCE if sent < -config.future_tolerance else None
