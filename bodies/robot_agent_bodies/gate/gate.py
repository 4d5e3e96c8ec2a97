"""The gate's mind, without ROS: which commands count, what the robot gets now, and what state that is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from robot_agent_bodies.gate.brake import State
from robot_agent_bodies.gate.config import GateConfig, joint_limits
from robot_agent_bodies.gate.shaper import PositionShaper, Shaper, VelocityShaper

LARGEST = 1e9
"""rad or m; a position beyond it is an overflow or unwritten memory, and counts as not finite."""


class Status(Enum):
    """What the gate does now; the robot moves in `FOLLOWING` alone, and brakes to a hold in all others."""

    WAITING_FOR_JOINTS = "waiting_for_joints"
    """Nothing is sent yet: not every joint has been measured."""
    WAITING_FOR_REST = "waiting_for_rest"
    """Nothing is sent yet: a joint still moves."""
    OUTSIDE_LIMITS = "outside_limits"
    """Nothing is sent yet: a joint is beyond its limits; move it back by hand."""
    FOLLOWING = "following"
    """Commands are fresh, and the output follows them."""
    HOLDING = "holding"
    """There is no fresh command."""
    STOPPED = "stopped"
    """gate/stop was called; gate/reset goes on."""
    NOT_FOLLOWING = "not_following"
    """The robot lagged too far behind the output for too long; gate/reset returns to where it is and goes on."""
    NOT_ENABLED = "not_enabled"
    """gate/enable does not say that the robot may move."""
    JOINTS_LOST = "joints_lost"
    """A joint has not been measured lately; it goes on when it is."""
    CLOCK_JUMPED = "clock_jumped"
    """A clock jumped, so the age of what is on its way is unknown; it goes on after `command_timeout`."""
    CLOCK_STOPPED = "clock_stopped"
    """Simulated time stands still; it goes on when that does."""
    SEVERAL_SOURCES = "several_sources"
    """Somebody else sends joint states of the same joints, or to the same controller; it goes on when one is left."""
    WRONG_CONTROLLER = "wrong_controller"
    """The controller has other joints, or has not said which; nothing is sent to it."""


class Refusal(Enum):
    """Why a command does not count."""

    MALFORMED = "malformed"
    """Not exactly one point, or not one value for each name."""
    MISSING_JOINT = "missing_joint"
    UNKNOWN_JOINT = "unknown_joint"
    DUPLICATE_JOINT = "duplicate_joint"
    NON_FINITE = "non_finite"
    STALE_STAMP = "stale_stamp"
    """The decision is older than `command_timeout`."""
    FUTURE_STAMP = "future_stamp"
    """The decision lies further in the future than `future_tolerance`."""
    STALE_SOURCE = "stale_source"
    """It was sent longer ago than `command_timeout` by the sender's clock, or does not say when."""
    FUTURE_SOURCE = "future_source"
    """It was sent in the future by the sender's clock."""
    FOREIGN_PUBLISHER = "foreign_publisher"
    """Another publisher is being listened to."""
    WAITING_FOR_JOINTS = "waiting_for_joints"
    WAITING_FOR_REST = "waiting_for_rest"
    OUTSIDE_LIMITS = "outside_limits"
    STOPPED = "stopped"
    NOT_FOLLOWING = "not_following"
    NOT_ENABLED = "not_enabled"
    JOINTS_LOST = "joints_lost"
    CLOCK_JUMPED = "clock_jumped"
    CLOCK_STOPPED = "clock_stopped"
    SEVERAL_SOURCES = "several_sources"
    WRONG_CONTROLLER = "wrong_controller"
    """These are the gate's states in which no command counts."""


class Now(NamedTuple):
    """The same moment on all clocks.

    Attributes:
        steady: s of the clock that limits and timeouts count in: real time, or a simulator's; it never goes back.
        ros, system: ns of ROS's clock and of the system's.
        real: s of real time, where `steady` is simulated; None where it is real.
    """

    steady: float
    ros: int
    system: int
    real: float | None = None


class Bar(NamedTuple):
    """Why the robot must not move, as whoever knows the wires sees it: the status, and a sentence."""

    status: Status
    why: str


@dataclass(frozen=True)
class Command:
    """What somebody asks for.

    Attributes:
        joints, values: names, and rad (or rad/s, m/s); None for values if the message does not hold one for each name.
        unused: what else the message says in numbers; they must be finite.
        stamp: of the decision, ns of ROS's clock.
        source: when it was sent, ns of the sender's system clock.
        publisher: that sent it; None if nobody can tell.
    """

    joints: Sequence[str]
    values: Sequence[float] | None
    stamp: int
    source: int
    publisher: bytes | None
    unused: Sequence[float] = ()


class _Measured(NamedTuple):
    position: float
    velocity: float
    at: float
    output: float
    """Where the output was then."""


class Gate:
    """Judges commands, and moves the output towards the newest that counts, within limits.

    Args:
        config: of the gate.

    Attributes:
        status: what it does now.
        detail: a few more words about that.
        refused: commands that did not count, by reason.
        ignored: joint states that did not count, by reason.
        accepted, clipped: commands that counted, and those of them that asked for more than the limits.
        barred: set from outside; while it is not None, the output brakes to rest, and then nothing is sent.
    """

    def __init__(self, config: GateConfig) -> None:
        self.config = config
        self.limits = joint_limits(config)
        kind = VelocityShaper if config.moves_by_velocity else PositionShaper
        self.shapers: tuple[Shaper, ...] = tuple(kind(limits) for limits in self.limits)
        self.status, self.detail = Status.WAITING_FOR_JOINTS, ""
        self.refused: Counter[Refusal] = Counter()
        self.ignored: Counter[Refusal] = Counter()
        self.accepted = self.clipped = 0
        self.barred: Bar | None = None
        self._index = {name: index for index, name in enumerate(config.joints)}
        self._started = not config.measures
        self._latched: Status | None = None
        self._enabled_at: float | None = None
        self._target: list[float] | None = None
        self._target_ends = 0.0
        self._return: list[float] | None = None
        self._owner: bytes | None = None
        self._owner_heard = 0.0
        self._measured: list[_Measured | None] = [None] * len(config.joints)
        self._lags_since: float | None = None
        self._unseen: list[_Measured] | None = None
        self._is_astray = False
        self._last: Now | None = None
        self._last_step: float | None = None
        self._clock_settles = -math.inf
        self._clock_moved: float | None = None

    # ---- what comes in ----

    def command(self, command: Command, now: Now) -> Refusal | None:
        """Takes a command; returns why it does not count, or None if it does."""
        self._watch_clocks(now)
        refusal = self._judge(command, now)
        if refusal is not None:
            self.refused[refusal] += 1
            return refusal
        assert command.values is not None
        target = [0.0] * len(self._index)
        for name, value in zip(command.joints, command.values, strict=True):
            target[self._index[name]] = value
        self.accepted += 1
        self.clipped += any(self._clipped(index, value) != value for index, value in enumerate(target))
        age = max(0.0, (now.ros - command.stamp) * 1e-9, (now.system - command.source) * 1e-9)
        self._target, self._target_ends = target, now.steady + self.config.command_timeout - age
        self._return = None
        self._owner, self._owner_heard = command.publisher, now.steady
        return None

    def measure(
        self, joints: Sequence[str], positions: Sequence[float], velocities: Sequence[float], stamp: int, now: Now
    ) -> Refusal | None:
        """Takes joint states, of all joints or of some; others than the gate's are none of its business.

        Args:
            joints, positions, velocities: as the message has them; velocities may be empty.
            stamp: of the measurement, ns of ROS's clock.
            now: when it came.

        Returns:
            why it does not count, or None if it does.
        """
        self._watch_clocks(now)
        age = (now.ros - stamp) * 1e-9
        ours = [(index, where) for where, name in enumerate(joints) if (index := self._index.get(name)) is not None]
        refusal = None
        if len(positions) != len(joints) or len(velocities) not in (0, len(joints)):
            refusal = Refusal.MALFORMED
        elif len({index for index, _ in ours}) != len(ours):
            refusal = Refusal.DUPLICATE_JOINT
        elif not all(abs(positions[where]) <= LARGEST for _, where in ours):
            refusal = Refusal.NON_FINITE
        elif age > self.config.joint_timeout:
            refusal = Refusal.STALE_STAMP
        elif age < -self.config.future_tolerance:
            refusal = Refusal.FUTURE_STAMP
        elif not ours:
            refusal = Refusal.MISSING_JOINT
        if refusal is not None:
            self.ignored[refusal] += 1
            return refusal
        for index, where in ours:
            velocity = velocities[where] if velocities else 0.0
            shaper = self.shapers[index]
            at, output = now.steady - max(0.0, age), shaper.state.position
            self._measured[index] = _Measured(positions[where], velocity, at, output)
            if self._started and isinstance(shaper, VelocityShaper):
                shaper.measured(positions[where])
        return None

    def stop(self) -> None:
        """Stops until `reset`."""
        self._latched, self._target, self._return, self._enabled_at = Status.STOPPED, None, None, None

    def reset(self, now: Now) -> str:
        """Goes on after a stop; returns what that meant, in words."""
        latched, self._latched, self._lags_since = self._latched, None, None
        if latched is None:
            return "nothing was stopped"
        if latched is Status.NOT_FOLLOWING:
            measured = self._fresh(now)
            if measured is None:
                self._is_astray = True
            else:
                self._return = [one.position for one in measured]
        return f"was {latched.value}"

    def enable(self, on: bool, now: Now) -> None:
        """The enable switch."""
        self._enabled_at = now.steady if on else None

    # ---- what goes out ----

    def step(self, now: Now) -> tuple[State, ...] | None:
        """What the robot gets now, for each joint; None for nothing: the gate waits to start, or the robot is unseen.

        Between two calls the output moves by the time that passed, at most by two periods of `rate`: after a pause it
        goes on from where it was.
        """
        self._watch_clocks(now)
        last, self._last_step = self._last_step, now.steady
        if self._started and self._is_unseen(now):
            return None
        if not self._started and not self._start(now):
            return None
        seconds = 0.0 if last is None else min(max(now.steady - last, 0.0), 2 / self.config.rate)
        self._watch_lag(now)
        blocked = self._blocked(now)
        if blocked is not None:
            self.status, self._target = blocked, None
        elif self._target is None or now.steady >= self._target_ends:
            self.status, self._target = Status.HOLDING, None
        else:
            self.status = Status.FOLLOWING
        goal = self._target if self._target is not None else None if blocked else self._return
        if goal is None:
            return tuple(shaper.brake(seconds) for shaper in self.shapers)
        return tuple(shaper.follow(value, seconds) for shaper, value in zip(self.shapers, goal, strict=True))

    @property
    def rests(self) -> bool:
        """Whether the output stands still."""
        return all(shaper.state.velocity == 0 and shaper.state.acceleration == 0 for shaper in self.shapers)

    @property
    def owner(self) -> bytes | None:
        """The publisher that was listened to last."""
        return self._owner

    @property
    def overruled(self) -> int:
        """Steps of ruckig's plans that were not let out."""
        return sum(shaper.overruled for shaper in self.shapers)

    # ---- judging ----

    def _judge(self, command: Command, now: Now) -> Refusal | None:
        config = self.config
        names, values = command.joints, command.values
        if values is None or len(names) != len(values):
            return Refusal.MALFORMED
        if len(set(names)) != len(names):
            return Refusal.DUPLICATE_JOINT
        if any(name not in self._index for name in names):
            return Refusal.UNKNOWN_JOINT
        if len(names) != len(self._index):
            return Refusal.MISSING_JOINT
        if not all(map(math.isfinite, values)) or not all(map(math.isfinite, command.unused)):
            return Refusal.NON_FINITE
        age, sent = (now.ros - command.stamp) * 1e-9, (now.system - command.source) * 1e-9
        if age > config.command_timeout:
            return Refusal.STALE_STAMP
        if age < -config.future_tolerance:
            return Refusal.FUTURE_STAMP
        if command.source <= 0 or sent > config.command_timeout:
            return Refusal.STALE_SOURCE
        if sent < -config.future_tolerance:
            return Refusal.FUTURE_SOURCE
        silent = now.steady - self._owner_heard
        owned = self._owner is not None and silent < config.owner_timeout
        if command.publisher is None or (owned and command.publisher != self._owner):
            return Refusal.FOREIGN_PUBLISHER
        if not self._started:
            return Refusal(self.status.value)
        blocked = self._blocked(now)
        return None if blocked is None else Refusal(blocked.value)

    def _clipped(self, index: int, value: float) -> float:
        limits = self.limits[index]
        if self.config.moves_by_velocity:
            return min(max(value, -limits.velocity), limits.velocity)
        return limits.clipped(value)

    def _blocked(self, now: Now) -> Status | None:
        """The state that keeps every command from counting, if there is one."""
        if self._latched is not None:
            return self._latched
        if self.barred is not None:
            return self.barred.status
        if self.config.require_enable and not self._is_enabled(now):
            return Status.NOT_ENABLED
        if self.config.measures and self._fresh(now) is None:
            return Status.JOINTS_LOST
        if now.steady < self._clock_settles:
            return Status.CLOCK_JUMPED
        return Status.CLOCK_STOPPED if self._is_clock_stopped(now) else None

    def _is_enabled(self, now: Now) -> bool:
        timeout = self.config.enable_timeout
        return self._enabled_at is not None and (timeout == 0 or now.steady - self._enabled_at <= timeout)

    def _fresh(self, now: Now) -> list[_Measured] | None:
        """What is known of all joints; None if anything is older than `joint_timeout`."""
        oldest = now.steady - self.config.joint_timeout
        fresh = [one for one in self._measured if one is not None and one.at >= oldest]
        return fresh if len(fresh) == len(self._measured) else None

    def _watch_clocks(self, now: Now) -> None:
        """Notices clocks that jump: after that, a stamp says nothing about what was sent before."""
        last, self._last = self._last, now
        if last is None or now.ros != last.ros:
            self._clock_moved = now.real
        if last is None:
            return
        passed = now.steady - last.steady if now.real is None or last.real is None else now.real - last.real
        ros, system = (now.ros - last.ros) * 1e-9, (now.system - last.system) * 1e-9
        # ROS's clock may stand still or run fast, as a simulator's does; the system's keeps pace with real time.
        back = ros < -_CLOCK_SLACK or system < passed - _CLOCK_SLACK
        ahead = max(ros, system) - passed > self.config.largest_clock_jump
        if back or ahead:
            self._clock_settles = now.steady + self.config.command_timeout

    def _is_clock_stopped(self, now: Now) -> bool:
        return now.real is not None and self._clock_moved is not None and now.real - self._clock_moved > _CLOCK_STOPPED

    # ---- beginning, and whether the robot obeys ----

    def _start(self, now: Now) -> bool:
        """Begins where the robot is, if that is known, at rest and within limits."""
        measured = self._fresh(now)
        self.detail = ""
        if self.barred is not None or self._is_clock_stopped(now):
            self.status = self.barred.status if self.barred is not None else Status.CLOCK_STOPPED
            return False
        if measured is None:
            self.status = Status.WAITING_FOR_JOINTS
            missing = [name for name, one in zip(self.config.joints, self._measured, strict=True) if one is None]
            self.detail = f"not measured: {', '.join(missing)}" if missing else "joint states are old"
            return False
        for name, limits, one in zip(self.config.joints, self.limits, measured, strict=True):
            if abs(one.position - limits.clipped(one.position)) > self.config.start_tolerance:
                self.status = Status.OUTSIDE_LIMITS
                self.detail = f"{name} is at {one.position:.3f}, expected {limits.lower:.3f} to {limits.upper:.3f}"
                return False
            if not abs(one.velocity) <= self.config.rest_velocity:
                self.status = Status.WAITING_FOR_REST
                self.detail = f"{name} moves at {one.velocity:.3f}"
                return False
        for shaper, one in zip(self.shapers, measured, strict=True):
            shaper.start(one.position)
        self._started = True
        return True

    def _is_unseen(self, now: Now) -> bool:
        """Whether the output rests and the robot is not measured, or must not be moved.

        Its driver may be about to start again, with the robot at another place: nothing must pull it away from there.
        When it is measured again, it goes on if neither the robot nor the output has moved since it was seen last, and
        the output was not astray; else it begins where the robot is.
        """
        if not self.config.measures:
            if self.barred is not None and self.rests:
                self.status, self._target = self._blocked(now) or self.barred.status, None
                return True
            return False
        measured = None if self.barred is not None else self._fresh(now)
        if measured is None:
            self._is_astray |= self._return is not None
            if self._unseen is None and self.rests:
                self._unseen = [one for one in self._measured if one is not None]  # all have been, or it had not begun
            if self._unseen is not None:
                self.status, self._target, self._return = self._blocked(now) or Status.JOINTS_LOST, None, None
            return self._unseen is not None
        if self._unseen is not None:
            self._started = not self._is_astray and not self._has_moved(measured, self._unseen)
        elif self._is_astray and self._target is None:
            self._return = [one.position for one in measured]
        self._unseen, self._is_astray = None, False
        return False

    def _has_moved(self, measured: Sequence[_Measured], before: Sequence[_Measured]) -> bool:
        """Whether the robot or the output is elsewhere than when it was seen last."""
        moved = [abs(one.position - then.position) for one, then in zip(measured, before, strict=True)]
        if not self.config.moves_by_velocity:
            moved += [
                abs(shaper.state.position - then.output) for shaper, then in zip(self.shapers, before, strict=True)
            ]
        return max(moved) > self.config.start_tolerance

    def _watch_lag(self, now: Now) -> None:
        """Latches when the robot does not go where the output goes."""
        largest = self.config.tracking_error
        if largest == 0 or not self.config.measures or self.config.moves_by_velocity or self._return is not None:
            return
        measured = self._fresh(now)
        if measured is None:
            return
        lags = [abs(shaper.state.position - one.position) for shaper, one in zip(self.shapers, measured, strict=True)]
        worst = max(lags)
        if worst <= largest:
            self._lags_since = None
            if self._latched is None:
                self.detail = ""
            return
        if self._lags_since is None:
            self._lags_since = now.steady
        if now.steady - self._lags_since >= self.config.tracking_time and self._latched is None:
            self._latched, self._target = Status.NOT_FOLLOWING, None
            self.detail = f"{self.config.joints[lags.index(worst)]} is {worst:.3f} from the output"


_CLOCK_SLACK = 0.01
"""Seconds that a clock may go back without being said to jump."""
_CLOCK_STOPPED = 0.5
"""Seconds of real time after which simulated time that stands still has stopped."""
