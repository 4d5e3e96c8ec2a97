"""One joint's output: towards its target as fast as its limits allow, and always able to stop within them."""

from __future__ import annotations

from abc import abstractmethod

from ruckig import ControlInterface, InputParameter, Result, Ruckig, RuckigError, Trajectory

from robot_agent_bodies.gate.brake import State, stopping, stopping_extent
from robot_agent_bodies.gate.limits import JointLimits

_TIGHTER = 1 - 1e-6
"""ruckig plans within limits that are this much tighter, so that rounding never takes its motions beyond ours."""
_ROUNDING = 1e-9
"""Relative error that is rounding and no violation; stops stay this much below the limits."""


class Shaper:
    """Moves one joint; a subclass says what a target is.

    ruckig plans (time-optimal, bounded jerk); every state of its plan is judged before it is let out: it must be
    reached with bounded jerk, be within the limits, and the fastest stop from it must stay within them too. A state
    that is not is replaced by a step of that stop, which the state before made sure is within limits. So limits hold
    by induction, whatever ruckig answers.

    Args:
        limits: of the joint.

    Attributes:
        state: the newest output.
        overruled: how many steps of plans were not let out.
    """

    def __init__(self, limits: JointLimits) -> None:
        self.limits = limits
        self.state = State(0.0, 0.0, 0.0)
        self.overruled = 0
        self._braking = limits.acceleration * (1 - _ROUNDING), limits.jerk * (1 - _ROUNDING)
        self._ruckig = Ruckig(1)
        self._plan = Trajectory(1)
        self._input = InputParameter(1)
        self._input.max_acceleration = [limits.acceleration * _TIGHTER]
        self._input.max_jerk = [limits.jerk * _TIGHTER]
        self._target: float | None = None
        self._since = 0.0

    def start(self, position: float) -> None:
        """At rest at a position, which must be within limits."""
        self.state = State(self.limits.clipped(position), 0.0, 0.0)
        self._target = None

    def follow(self, target: float, seconds: float) -> State:
        """Some seconds towards a target, which may be anything finite; the plan is kept while the target is."""
        if target != self._target:
            self._since = 0.0
            self._target = target if self._make_plan(target) else None
        if self._target is None:
            return self._overrule(seconds)
        if self._since > self._plan.duration and self.state.velocity == 0 == self.state.acceleration:
            return self.state  # there already
        self._since += seconds
        (position,), (velocity,), (acceleration,) = self._plan.at_time(self._since)
        planned = State(position, velocity, acceleration)
        if not (self._is_reached_by(planned, seconds) and self._is_safe(planned)):
            return self._overrule(seconds)
        self.state = planned
        return planned

    def brake(self, seconds: float) -> State:
        """Some seconds of the fastest stop, and rest after it."""
        self._target = None
        self.state = stopping(self.state, seconds, *self._braking)
        return self.state

    @abstractmethod
    def _prepare(self, target: float) -> bool:
        """Writes a target into ruckig's input; False if standing still is what it asks for."""

    def _make_plan(self, target: float) -> bool:
        self._input.current_position = [self.state.position]
        self._input.current_velocity = [self.state.velocity]
        self._input.current_acceleration = [self.state.acceleration]
        try:
            return self._prepare(target) and self._ruckig.calculate(self._input, self._plan) in _GOOD
        except RuckigError:
            return False

    def _overrule(self, seconds: float) -> State:
        self.overruled += 1
        return self.brake(seconds)

    def _is_reached_by(self, planned: State, seconds: float) -> bool:
        """Whether bounded jerk leads from the state now to a planned one, as far as a step of it can tell."""
        p, v, a = self.state
        jerk = self.limits.jerk * (1 + _ROUNDING)
        t = seconds
        return (
            abs(planned.acceleration - a) <= jerk * t + _ROUNDING * self.limits.acceleration
            and abs(planned.velocity - v - a * t) <= jerk * t * t / 2 + _ROUNDING * self.limits.velocity
            and abs(planned.position - p - t * (v + a * t / 2)) <= jerk * t**3 / 6 + _ROUNDING * (1 + abs(p))
        )

    def _is_safe(self, planned: State) -> bool:
        """Whether a state is within limits, and the fastest stop from it too."""
        limits = self.limits
        if not (abs(planned.velocity) <= limits.velocity and abs(planned.acceleration) <= self._braking[0]):
            return False
        extent = stopping_extent(planned, *self._braking)
        return limits.lower <= extent.low and extent.high <= limits.upper and extent.speed <= limits.velocity


_GOOD = (Result.Working, Result.Finished)


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

    Where a joint is, is what its output adds up to, corrected by what is measured (`measured`).
    """

    def measured(self, position: float) -> None:
        """Where the joint is by its encoder; one that is beyond an end counts as there, so that it can move back."""
        if self.limits.bounded:
            self.state = self.state._replace(position=self.limits.clipped(position))
            self._target = None

    def _prepare(self, target: float) -> bool:
        limits = self.limits
        velocity = min(max(target, -limits.velocity), limits.velocity) * _TIGHTER
        if not limits.bounded:
            self._input.control_interface = ControlInterface.Velocity
            self._input.max_velocity = [limits.velocity * _TIGHTER]
            self._input.target_velocity = [velocity]
            return True
        # Towards the end of the joint, no faster than asked for: a motion that slows down before the end by itself.
        if abs(velocity) < _ROUNDING * limits.velocity:
            return False
        margin = _ROUNDING * (limits.upper - limits.lower)
        self._input.max_velocity = [abs(velocity)]
        self._input.target_position = [limits.upper - margin if velocity > 0 else limits.lower + margin]
        return True
