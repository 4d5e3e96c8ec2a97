"""The gate's mind, without ROS: which commands count, what the robot gets now, and what state that is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from robot_agent_bodies.gate.brake import State
from robot_agent_bodies.gate.clocks import Clocks, Now
from robot_agent_bodies.gate.command import Command, unsound
from robot_agent_bodies.gate.config import GateConfig, joint_limits, keep_out
from robot_agent_bodies.gate.keep_out import least_clearance
from robot_agent_bodies.gate.measured import Measured, Measurements
from robot_agent_bodies.gate.ownership import Ownership
from robot_agent_bodies.gate.shaper import PositionShaper, Shaper, VelocityShaper
from robot_agent_bodies.gate.status import Refusal, Status
from robot_agent_bodies.gate.trajectory import Trajectory, approach_seconds, tightened, trajectory


class Bar(NamedTuple):
    """Why the robot must not move, as whoever knows the wires sees it: the status, and a sentence."""

    status: Status
    why: str


class Gate:
    """Judges commands, and moves the output towards the newest that counts, within limits.

    Args:
        config: of the gate.
        last: where the output rested last, by joint, if that is known from before.

    Attributes:
        status: what it does now.
        detail: a few more words about that.
        refused: commands that did not count, by reason.
        ignored: joint states that did not count, by reason.
        accepted, clipped: commands that counted, and those of them that asked for more than the limits.
        held_back: outputs that would have led into what `keep_out` names.
        ownership: of the robot by one publisher of commands.
        barred: set from outside; while it is not None, the output brakes to rest, and then nothing is sent.
    """

    def __init__(self, config: GateConfig, last: Mapping[str, float] | None = None) -> None:
        self.config = config
        self.limits = joint_limits(config)
        kind = VelocityShaper if config.moves_by_velocity else PositionShaper
        self._streams = config.output != "joint_trajectory"
        kept = self.limits if self._streams else [tightened(limits, config.lead) for limits in self.limits]
        self.shapers: tuple[Shaper, ...] = tuple(kind(limits) for limits in kept)
        self.keep_out = keep_out(config)
        self._least_clearance = 0.0
        self._goal: tuple[Sequence[float], Sequence[float]] = ((), ())
        self._last_output = None if last is None else [last.get(name, math.nan) for name in config.joints]
        self.status, self.detail = Status.WAITING_FOR_JOINTS, ""
        self.refused: Counter[Refusal] = Counter()
        self.ignored: Counter[Refusal] = Counter()
        self.accepted = self.clipped = self.held_back = 0
        self.barred: Bar | None = None
        self._index = {name: index for index, name in enumerate(config.joints)}
        self._started = not config.measures
        self._latched: Status | None = None
        self._enabled_at: float | None = None
        self._target: list[float] | None = None
        self._target_ends = self._arrival = 0.0
        self._return: list[float] | None = None
        self.ownership = Ownership(config.owner_timeout)
        self._measurements = Measurements(config.joints)
        self._lags_since: float | None = None
        self._unseen: list[Measured] | None = None
        self._is_astray = False
        self._clocks = Clocks(config.largest_clock_jump, config.command_timeout)
        self._last_step: Now | None = None
        self._trajectory: Trajectory | None = None
        self._settled = -math.inf

    # ---- what comes in ----

    def command(self, command: Command, now: Now) -> Refusal | None:
        """Takes a command; returns why it does not count, or None if it does."""
        self._clocks.watch(now)
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
        self._arrival = now.steady + command.seconds - age
        self._return = None
        return None

    def measure(
        self, joints: Sequence[str], positions: Sequence[float], velocities: Sequence[float], stamp: int, now: Now
    ) -> Refusal | None:
        """Takes joint states, of all joints or of some; others than the gate's are none of its business.

        Args:
            joints, positions, velocities: as the message has them; velocities may be empty or NaN.
            stamp: of the measurement, ns of ROS's clock.
            now: when it came.

        Returns:
            why it does not count, or None if it does.
        """
        self._clocks.watch(now)
        age = (now.ros - stamp) * 1e-9
        taken: list[int] | Refusal
        if age > self.config.joint_timeout:
            taken = Refusal.STALE_STAMP
        elif age < -self.config.future_tolerance:
            taken = Refusal.FUTURE_STAMP
        else:
            outputs = [shaper.state.position for shaper in self.shapers]
            taken = self._measurements.take(joints, positions, velocities, now.steady - max(0.0, age), outputs)
        if isinstance(taken, Refusal):
            self.ignored[taken] += 1
            return taken
        for index in taken:
            shaper, one = self.shapers[index], self._measurements.newest[index]
            if self._started and isinstance(shaper, VelocityShaper) and one is not None:
                shaper.measured(one.position)
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
                self._go_back_to(measured)
        return f"was {latched.value}"

    def release(self) -> None:
        """The robot is no longer its owner's: it brakes to a hold until another publisher sends."""
        self.ownership.release()
        self._target = None

    def enable(self, on: bool, now: Now) -> None:
        """The enable switch."""
        self._enabled_at = now.steady if on else None

    def begin_again(self) -> None:
        """The output begins where the robot is, as at the start: what was sent since is unknown, or went elsewhere."""
        self._started, self._unseen = not self.config.measures, None

    # ---- what goes out ----

    def step(self, now: Now) -> tuple[State, ...] | None:
        """What the robot gets now, for each joint; None for nothing: the gate waits to start, or the robot is unseen.

        Between two calls the output moves by the time that passed, at most by two periods of `rate`: after a pause it
        goes on from where it was.
        """
        self._clocks.watch(now)
        last, self._last_step = self._last_step, now
        self._trajectory = None
        passed = 0.0 if last is None else self._clocks.passed(last, now)
        if not self._streams:
            for shaper in self.shapers:  # the robot went on along the last trajectory, to its end if need be
                shaper.advance(passed)
        if self._started and self._is_unseen(now):
            return None
        if not self._started and not self._start(now):
            return None
        self._watch_lag(now)
        blocked = self._blocked(now)
        if blocked is not None:
            self.status, self._target = blocked, None
        elif self._target is None or now.steady >= self._target_ends:
            self.status, self._target = Status.HOLDING, None
        else:
            self.status = Status.FOLLOWING
        goal = self._target if self._target is not None else None if blocked else self._return
        longest = 2 / self.config.rate
        if self._streams:
            seconds = 0.0 if last is None else min(max(now.steady - last.steady, 0.0), longest)
            self._plan(goal, seconds, now)
            return tuple(shaper.advance(seconds) for shaper in self.shapers)
        # As far as the command counts: the next trajectory is the same motion then, and may be late or lost.
        counts = self._target_ends - now.steady if goal is self._target else _FURTHEST
        longest = max(longest, min(counts, _FURTHEST))
        ahead = self._ahead(now)
        self._plan(goal, longest, now)
        self._trajectory = trajectory([shaper.motion for shaper in self.shapers], now.ros + round(1e9 * ahead))
        return tuple(shaper.state for shaper in self.shapers)

    def _plan(self, goal: Sequence[float] | None, seconds: float, now: Now) -> None:
        """Decides the motion of all joints: some seconds towards a goal, then the stop."""
        left = None if self.keep_out is None else [shaper.left for shaper in self.shapers]
        least = max(0.0, self._arrival - now.steady) if goal is self._target else 0.0
        targets = [None] * len(self.shapers) if goal is None else self._within_reach(self._outside(goal))
        for shaper, target in zip(self.shapers, targets, strict=True):
            shaper.plan(target, seconds, least)
        if self.keep_out is None or left is None:
            return
        # What is left of the motion before was allowed, up to its stop; of a new one that is to be seen.
        clearance = self.keep_out.clearance([shaper.state.position for shaper in self.shapers])
        self._least_clearance = max(self._least_clearance, least_clearance(clearance))
        if not self.keep_out.allows([shaper.motion for shaper in self.shapers], self._least_clearance):
            self.held_back += 1
            for shaper, motion in zip(self.shapers, left, strict=True):
                shaper.resume(motion)

    def _outside(self, goal: Sequence[float]) -> Sequence[float]:
        """A goal in front of what is in the way to it, so that the robot slows down before that."""
        if self.keep_out is None or self.config.moves_by_velocity:
            return goal
        if self._goal[0] is not goal:
            here = [shaper.state.position for shaper in self.shapers]
            wanted = [
                min(max(self._clipped(index, value), at - _TURN), at + _TURN)
                for index, (value, at) in enumerate(zip(goal, here, strict=True))
            ]
            self._goal = goal, self.keep_out.nearest(here, wanted, self._least_clearance)
        return self._goal[1]

    def _within_reach(self, goal: Sequence[float]) -> Sequence[float]:
        """A goal that is no further from the measured joints than `tracking_error`: the output does not run away."""
        reach = self.config.tracking_error
        if reach == 0 or not self.config.measures or self.config.moves_by_velocity:
            return goal
        return [
            value if one is None else min(max(value, one.position - reach), one.position + reach)
            for value, one in zip(goal, self._measurements.newest, strict=True)
        ]

    def _ahead(self, now: Now) -> float:
        """Seconds until the next trajectory begins.

        Where the controller may want something else than the output, it gets the time to approach that within limits:
        at the start, and while it does not do what it is sent.
        """
        settles = self._settled - now.steady
        if settles > self.config.lead:
            return settles
        if self._latched is Status.NOT_FOLLOWING and self.rests:
            return max(self.config.lead, approach_seconds(self.limits, self._lags()))
        return self.config.lead

    @property
    def trajectory(self) -> Trajectory | None:
        """What a joint_trajectory_controller gets now: what the newest step decided, up to its end at rest."""
        return self._trajectory

    @property
    def rests(self) -> bool:
        """Whether the output stands still."""
        return all(shaper.rests for shaper in self.shapers)

    @property
    def overruled(self) -> int:
        """Steps of ruckig's plans that were not let out."""
        return sum(shaper.overruled for shaper in self.shapers)

    # ---- judging ----

    def _judge(self, command: Command, now: Now) -> Refusal | None:
        refusal = unsound(command, self.config, now)
        if refusal is not None:
            return refusal
        if not self.ownership.admits(command.publisher, now.steady):
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
        if now.steady < self._settled:
            return Status.WAITING_FOR_REST
        if self._clocks.has_jumped(now):
            return Status.CLOCK_JUMPED
        return Status.CLOCK_STOPPED if self._clocks.is_stopped(now) else None

    def _is_enabled(self, now: Now) -> bool:
        timeout = self.config.enable_timeout
        return self._enabled_at is not None and (timeout == 0 or now.steady - self._enabled_at <= timeout)

    def _fresh(self, now: Now) -> list[Measured] | None:
        """What is known of all joints; None if anything is older than `joint_timeout`."""
        return self._measurements.since(now.steady - self.config.joint_timeout)

    # ---- beginning, and whether the robot obeys ----

    def _start(self, now: Now) -> bool:
        """Begins where the robot is, if that is known, at rest and within limits."""
        measured = self._fresh(now)
        self.detail = ""
        if self.barred is not None or self._clocks.is_stopped(now):
            self.status = self.barred.status if self.barred is not None else Status.CLOCK_STOPPED
            return False
        if measured is None:
            self.status = Status.WAITING_FOR_JOINTS
            known = zip(self.config.joints, self._measurements.newest, strict=True)
            missing = [name for name, one in known if one is None]
            self.detail = f"not measured: {', '.join(missing)}" if missing else "joint states are old"
            return False
        for name, limits, one in zip(self.config.joints, self.limits, measured, strict=True):
            if abs(one.position - limits.clipped(one.position)) > self.config.start_tolerance:
                self.status = Status.OUTSIDE_LIMITS
                self.detail = f"{name} is at {one.position:.3f}, expected {limits.lower:.3f} to {limits.upper:.3f}"
                return False
            if one.speed is None or not one.speed <= self.config.rest_velocity:
                self.status = Status.WAITING_FOR_REST
                speed = "no speed is known yet" if one.speed is None else f"moves at {one.speed:.3f}"
                self.detail = f"{name}: {speed}"
                return False
        positions = self._where_to_begin(measured)
        if self.keep_out is not None:
            clearance = self.keep_out.clearance(positions)
            if clearance < -self.config.keep_out_margin:
                self.status = Status.OUTSIDE_LIMITS
                self.detail = f"a link is {-clearance:.3f} m inside what keep_out names, its margin included"
                return False
            self._least_clearance = least_clearance(clearance)
        for shaper, position in zip(self.shapers, positions, strict=True):
            shaper.start(position)
        self._last_output, self._started = None, True
        if not self._streams:
            # What the controller wants may be off the measured joint by as much as a servo sags.
            off = [self.config.resume_tolerance] * len(positions)
            self._settled = now.steady + approach_seconds(self.limits, off)
        within = [limits.clipped(position) for limits, position in zip(self.limits, positions, strict=True)]
        if not self.config.moves_by_velocity and within != positions:
            self._return = within
        return True

    def _where_to_begin(self, measured: Sequence[Measured]) -> list[float]:
        """The last command, if the joints may rest where they do because of it; else where they are."""
        here = [one.position for one in measured]
        last, self._last_output = self._last_output, None
        if last is None or self.config.moves_by_velocity:
            return here
        near = all(abs(a - b) <= self.config.resume_tolerance for a, b in zip(last, here, strict=True))
        return [limits.clipped(one) for limits, one in zip(self.limits, last, strict=True)] if near else here

    def _go_back_to(self, measured: Sequence[Measured]) -> None:
        """The output approaches where the robot is; a velocity output counts from there."""
        for shaper, one in zip(self.shapers, measured, strict=True):
            if isinstance(shaper, VelocityShaper):
                shaper.count_from(one.position)
        if not self.config.moves_by_velocity:
            self._return = [one.position for one in measured]

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
                # All have been measured, or it had not begun.
                self._unseen = [one for one in self._measurements.newest if one is not None]
            if self._unseen is not None:
                self.status, self._target, self._return = self._blocked(now) or Status.JOINTS_LOST, None, None
            return self._unseen is not None
        if self._unseen is not None:
            self._started = not self._is_astray and not self._has_moved(measured, self._unseen)
        elif self._is_astray and self._target is None:
            self._go_back_to(measured)
        self._unseen, self._is_astray = None, False
        return False

    def _has_moved(self, measured: Sequence[Measured], before: Sequence[Measured]) -> bool:
        """Whether the robot or the output is elsewhere than when it was seen last."""
        moved = [abs(one.position - then.position) for one, then in zip(measured, before, strict=True)]
        if not self.config.moves_by_velocity:
            moved += [
                abs(shaper.state.position - then.output) for shaper, then in zip(self.shapers, before, strict=True)
            ]
        return max(moved) > self.config.start_tolerance

    def _lags(self) -> list[float]:
        """How far each joint is measured from the output."""
        return [
            0.0 if one is None else abs(shaper.state.position - one.position)
            for shaper, one in zip(self.shapers, self._measurements.newest, strict=True)
        ]

    def _watch_lag(self, now: Now) -> None:
        """Latches when the robot does not go where the output goes."""
        largest = _STAYS_BEHIND * self.config.tracking_error
        if largest == 0 or not self.config.measures or self._return is not None or self._fresh(now) is None:
            return
        lags = self._lags()
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


_FURTHEST = 0.1
"""Seconds of a trajectory before its stop, at most."""
_TURN = 2 * math.pi
"""rad by which a joint without ends is looked at ahead."""
_STAYS_BEHIND = 0.9
"""Share of `tracking_error` from which a robot counts as staying behind: the output goes no further than all of it."""
