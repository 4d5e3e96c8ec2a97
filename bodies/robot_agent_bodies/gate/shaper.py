"""One joint's output: towards its target as fast as its limits allow, and always able to stop within them."""

from __future__ import annotations

from abc import abstractmethod

from ruckig import ControlInterface, InputParameter, Result, Ruckig, RuckigError, Trajectory

from robot_agent_bodies.gate.brake import Phase, State, moved, stop, stopping_extent
from robot_agent_bodies.gate.limits import JointLimits
from robot_agent_bodies.gate.motion import Motion, extremes, section

_TIGHTER = 1 - 1e-6
"""ruckig plans within limits that are this much tighter, so that rounding never takes its motions beyond ours."""
_ROUNDING = 1e-9
"""Relative error that is rounding and no violation; stops stay this much below the limits."""
_LONGEST = 60.0
"""Seconds that a plan may be asked to take: commands are renewed much sooner."""
_DRIFT = 0.2
"""How much further or less than asked for a joint that is moved by velocity may go, relative."""


class Shaper:
    """Moves one joint; a subclass says what a target is.

    ruckig plans (time-optimal, bounded jerk). Of its plan only phases of constant jerk are taken, so the output is a
    motion whatever it answers; and the next ones are let out only if jerk is bounded in them, and each state in them is
    within limits and the fastest stop from it too. Otherwise that stop is the motion, which the state before made sure
    is within limits. So limits hold by induction.

    Args:
        limits: of the joint.

    Attributes:
        state: the newest output.
        motion: what is decided from there on; it ends at rest.
        lower, upper: the positions that count as limits now.
        overruled: how often a plan was not let out.
    """

    def __init__(self, limits: JointLimits) -> None:
        self.limits = limits
        self.state = State(0.0, 0.0, 0.0)
        self.motion = Motion(self.state)
        self.lower, self.upper = limits.lower, limits.upper
        self.overruled = 0
        self._braking = limits.acceleration * (1 - _ROUNDING), limits.jerk * (1 - _ROUNDING)
        self._ruckig = Ruckig(1)
        self._trajectory = Trajectory(1)
        self._input = InputParameter(1)
        self._input.max_acceleration = [limits.acceleration * _TIGHTER]
        self._input.max_jerk = [limits.jerk * _TIGHTER]
        self._target: float | None = None
        self._phases: tuple[Phase, ...] = ()
        self._duration = self._since = self._least = 0.0
        self._planned = self._into = 0.0

    def start(self, position: float) -> None:
        """At rest at a position; one beyond the limits can only be left towards them."""
        self.state = State(position, 0.0, 0.0)
        self._forget()
        self._narrow()

    def plan(self, target: float | None, seconds: float, least: float = 0.0) -> Motion:
        """Decides the motion from here on: some seconds towards a target, then the fastest stop.

        Args:
            target: anything finite; ruckig's plan is kept while it is. None for the stop at once.
            seconds: towards the target.
            least: seconds that reaching the target takes at least.
        """
        self._into = self._planned = 0.0
        phases: tuple[Phase, ...] = ()
        state = self.state
        if target is None:
            self._target = None
        else:
            ahead = self._ahead(target, seconds, least)
            if ahead is not None and self._is_safe(ahead):
                phases, self._planned = ahead, seconds
                for phase in ahead:
                    state = moved(state, *phase)
            elif ahead is not None:
                self._target = None
                self.overruled += 1
        self.motion = Motion(self.state, (*phases, *stop(state, *self._braking)))
        return self.motion

    def resume(self, motion: Motion) -> None:
        """Takes another motion from here on, such as what was left of the one before."""
        self.motion, self._target = motion, None
        self._into = self._planned = 0.0

    @property
    def left(self) -> Motion:
        """What is left of the motion."""
        return self.motion.after(self._into)

    def advance(self, seconds: float) -> State:
        """Moves the output along the motion."""
        self._since += seconds
        self._into += seconds
        if self._into > self._planned:
            self._target = None  # it is stopping
        self.state = self.motion.at(self._into)
        self._narrow()
        return self.state

    def follow(self, target: float, seconds: float, least: float = 0.0) -> State:
        """Some seconds towards a target."""
        self.plan(target, seconds, least)
        return self.advance(seconds)

    def brake(self, seconds: float) -> State:
        """Some seconds of the fastest stop, and rest after it."""
        self.plan(None, 0.0)
        return self.advance(seconds)

    @property
    def rests(self) -> bool:
        """Whether the output stands still."""
        return self.state.velocity == 0 == self.state.acceleration

    @abstractmethod
    def _prepare(self, target: float) -> bool:
        """Writes a target into ruckig's input; False if standing still is what it asks for."""

    @property
    def _keeps_moving(self) -> bool:
        """Whether a plan that is over goes on with the velocity that it reached."""
        return False

    def _forget(self) -> None:
        """Drops the plan; the motion is rest."""
        self._target, self.motion = None, Motion(self.state)
        self._planned = self._into = 0.0

    def _narrow(self) -> None:
        """A joint that is beyond a limit may come back, and not go further."""
        self.lower = min(self.limits.lower, self.state.position)
        self.upper = max(self.limits.upper, self.state.position)

    def _ahead(self, target: float, seconds: float, least: float) -> tuple[Phase, ...] | None:
        """The next phases of the plan; None for none: standing still is right, or nothing could be planned."""
        least = min(max(least, 0.0), _LONGEST)
        if target != self._target or abs(least - max(0.0, self._least - self._since)) > 1e-6:
            phases = self.planned(target, least)
            self._target = None if phases is None else target
            self._since, self._least = 0.0, least
            self._phases = phases or ()
            self._duration = sum(phase.seconds for phase in self._phases)
        if self._target is None or (self._since >= self._duration and not self._keeps_moving):
            return None
        return tuple(section(self._phases, self._since, self._since + seconds))

    def planned(self, target: float, least: float) -> tuple[Phase, ...] | None:
        """ruckig's answer: phases from the state now to a target; None if standing still is what it asks for.

        Nothing relies on it to keep limits.
        """
        self._input.current_position = [self.state.position]
        self._input.current_velocity = [self.state.velocity]
        self._input.current_acceleration = [self.state.acceleration]
        self._input.minimum_duration = least if least > 0 else None
        if not self._prepare(target):
            return None
        try:
            done = self._ruckig.calculate(self._input, self._trajectory) in (Result.Working, Result.Finished)
        except RuckigError:
            done = False
        if not done:
            self.overruled += 1
            return None
        profile = self._trajectory.profiles[0][0]
        return tuple(
            Phase(seconds, jerk)
            for part in (profile.brake, profile, profile.accel)
            for seconds, jerk in zip(part.t, part.j, strict=True)
            if seconds > 0
        )

    def _is_safe(self, phases: tuple[Phase, ...]) -> bool:
        """Whether jerk is bounded, and all states on the way are within limits, and the fastest stops from them too."""
        most, acceleration = self.limits, self._braking[0]
        state = self.state
        for phase in phases:
            if not abs(phase.jerk) <= most.jerk:
                return False
            for there in extremes(state, phase):
                if not (abs(there.velocity) <= most.velocity and abs(there.acceleration) <= acceleration):
                    return False
                extent = stopping_extent(there, *self._braking)
                if not (self.lower <= extent.low and extent.high <= self.upper and extent.speed <= most.velocity):
                    return False
            state = moved(state, *phase)
        return True


class PositionShaper(Shaper):
    """Targets are positions; one beyond the limits means the limit."""

    def __init__(self, limits: JointLimits) -> None:
        super().__init__(limits)
        self._input.max_velocity = [limits.velocity * _TIGHTER]
        margin = _ROUNDING * (limits.upper - limits.lower) if limits.bounded else 0.0
        self._lowest, self._highest = limits.lower + margin, limits.upper - margin

    def _prepare(self, target: float) -> bool:
        self._input.target_position = [min(max(target, self._lowest), self._highest)]
        return True


class VelocityShaper(Shaper):
    """Targets are velocities; a joint that has ends slows down before them.

    Where the joint is, is known twice: as what the output adds up to, and as it is measured. The end counts for both.
    What is measured corrects the sum only as far as the joint is seen to move as it is asked to, so an encoder that
    stands still leaves the sum as it is.
    """

    def __init__(self, limits: JointLimits) -> None:
        super().__init__(limits)
        self._measured: float | None = None
        self._then = 0.0

    def start(self, position: float) -> None:
        self._measured, self._then = position, position
        super().start(position)

    def count_from(self, position: float) -> None:
        """The joint is here; its motion goes on."""
        self._measured, self._then = position, position
        self.state = self.state._replace(position=position)
        self._target = None
        self._narrow()

    def measured(self, position: float) -> None:
        """Where the joint is by its encoder."""
        if self._measured is not None:
            seen, asked = position - self._measured, self.state.position - self._then
            share = _DRIFT * min(abs(seen), abs(asked)) if seen * asked > 0 else 0.0
            error = position - self.state.position
            self.state = self.state._replace(position=self.state.position + min(max(error, -share), share))
        self._measured, self._then = position, self.state.position
        if self.limits.bounded:
            self._target = None  # the ends have moved
            self._narrow()

    def _narrow(self) -> None:
        error = 0.0 if self._measured is None else self._measured - self._then
        self.lower = min(self.limits.lower + max(0.0, -error), self.state.position)
        self.upper = max(self.limits.upper - max(0.0, error), self.state.position)

    @property
    def _keeps_moving(self) -> bool:
        return not self.limits.bounded

    def _prepare(self, target: float) -> bool:
        limits = self.limits
        velocity = min(max(target, -limits.velocity), limits.velocity) * _TIGHTER
        if not limits.bounded:
            self._input.control_interface = ControlInterface.Velocity
            self._input.max_velocity = [limits.velocity * _TIGHTER]
            self._input.target_velocity = [velocity]
            return True
        # Towards the end of the joint, no faster than asked for: a motion that slows down before the end by itself.
        margin = _ROUNDING * (limits.upper - limits.lower)
        end = self.upper - margin if velocity > 0 else self.lower + margin
        if abs(velocity) < _ROUNDING * limits.velocity or (end - self.state.position) * velocity <= 0:
            return False
        self._input.max_velocity = [abs(velocity)]
        self._input.target_position = [end]
        return True
