"""A simulated robot, tick by tick: commands come late, readings are late and noisy, some are lost. No rclpy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from robot_agent_sim.live import JointReading, LiveWorld

from robot_agent_ros.sim_body.config import SimBodyConfig

T = TypeVar("T")
NANOSECONDS = 1_000_000_000
GOAL_REPETITION = 0.5
"""s between two messages with the same goal, for those who came late."""


class Stamped(NamedTuple, Generic[T]):
    """Something and the moment that it is about, ns."""

    stamp: int
    what: T


class Lag(Generic[T]):
    """Things on their way, each of which arrives a while after it was sent, in the order of sending."""

    def __init__(self) -> None:
        self._way: deque[tuple[int, Stamped[T]]] = deque()

    def send(self, stamp: int, what: T, delay: float) -> None:
        """Sends something at `stamp`, to arrive `delay` s later."""
        self._way.append((stamp + round(delay * NANOSECONDS), Stamped(stamp, what)))

    def arrived(self, now: int) -> Iterator[Stamped[T]]:
        """What has arrived by now and was not fetched yet."""
        while self._way and self._way[0][0] <= now:
            yield self._way.popleft()[1]


@dataclass
class Outcome:
    """What is to be published after a tick.

    Attributes:
        joints: readings of the joints.
        exposures: snapshots for the camera.
        goal: float32 (n,), None where nothing is to be said; empty arrays are never given.
        reward: of a frame that ends now, None where nothing is to be said.
    """

    joints: list[Stamped[JointReading]] = field(default_factory=list)
    exposures: list[Stamped[NDArray[np.float64]]] = field(default_factory=list)
    goal: NDArray[np.float32] | None = None
    reward: float | None = None


@dataclass
class Counts:
    """What happened since the beginning."""

    ticks: int = 0
    joints_lost: int = 0
    exposures: int = 0
    exposures_lost: int = 0
    commands: int = 0
    commands_refused: int = 0
    last_refusal: str = ""
    goals: int = 0


class Body:
    """A live world behind slow, noisy, lossy wires.

    Args:
        world: whose tick is the period of joint states.
        config: see `SimBodyConfig`; may be replaced by another one between two ticks.
    """

    def __init__(self, world: LiveWorld, config: SimBodyConfig) -> None:
        self.world, self.config = world, config
        self.counts = Counts()
        self._rng = np.random.default_rng(config.seed)
        self._commands: Lag[Callable[[], None]] = Lag()
        self._joints: Lag[JointReading] = Lag()
        self._exposures: Lag[NDArray[np.float64]] = Lag()
        self._inbox: deque[Callable[[], None]] = deque()  # filled by other threads
        self._due: dict[str, float] = {}
        self._time = 0.0
        self._commanded_at = -np.inf

    def command(self, obey: Callable[[], None]) -> None:
        """A command has come, from any thread; `obey` is called when it is through to the servos.

        It calls the world's `command` or `drive`; a `ValueError` from it refuses the command.
        """
        self._inbox.append(obey)

    def begin(self) -> None:
        """Puts the body where an episode begins; commands on their way are lost."""
        self._inbox.clear()
        self._commands = Lag()
        self.world.begin()
        self.counts.goals += 1
        self._due["goal"] = self._time + self.config.goal_period
        self._due.pop("repetition", None)

    def tick(self, stamp: int) -> Outcome:
        """Lets a tick pass that ends at `stamp`, ns."""
        config, outcome = self.config, Outcome()
        while self._inbox:
            self._commands.send(stamp, self._inbox.popleft(), config.command_delay)
        for command in self._commands.arrived(stamp):
            self._obey(command.what)
        if self.world.by_velocity and self._time - self._commanded_at > config.velocity_timeout:
            self.world.command(np.zeros(len(self.world.names)))
        self.world.advance()
        self._time += self.world.tick
        self.counts.ticks += 1
        self._feel(stamp)
        if config.camera_rate and self._is_due("exposure", 1 / config.camera_rate):
            self._expose(stamp)
        self._set_goal(outcome)
        if config.reward_rate and self._is_due("reward", 1 / config.reward_rate):
            outcome.reward = self.world.reward()
        outcome.joints.extend(self._joints.arrived(stamp))
        outcome.exposures.extend(self._exposures.arrived(stamp))
        return outcome

    def _obey(self, command: Callable[[], None]) -> None:
        self.counts.commands += 1
        try:
            command()
            self._commanded_at = self._time
        except ValueError as error:
            self.counts.commands_refused += 1
            self.counts.last_refusal = str(error)

    def _feel(self, stamp: int) -> None:
        lost = self._rng.random() < self.config.joint_loss  # drawn always, so that one setting changes one thing
        noise = self._rng.normal(size=(2, len(self.world.names)))
        self.counts.joints_lost += lost
        if not lost:
            reading = self.world.reading()
            position = reading.position + self.config.joint_noise * noise[0]
            velocity = reading.velocity + self.config.velocity_noise * noise[1]
            self._joints.send(stamp, reading._replace(position=position, velocity=velocity), self.config.joint_delay)

    def _expose(self, stamp: int) -> None:
        lost = self._rng.random() < self.config.camera_loss
        self.counts.exposures += 1
        self.counts.exposures_lost += lost
        if not lost:
            self._exposures.send(stamp, self.world.snapshot(), self.config.camera_delay)

    def _set_goal(self, outcome: Outcome) -> None:
        period = self.config.goal_period
        if self.counts.goals == 0:  # the goal of the beginning
            self.counts.goals = 1
            self._due["goal"] = self._time + period
        elif period and self._is_due("goal", period):
            self.world.new_goal()
            self.counts.goals += 1
            self._due.pop("repetition", None)
        if self._is_due("repetition", GOAL_REPETITION) and len(goal := self.world.goal()):
            outcome.goal = goal

    def _is_due(self, what: str, period: float) -> bool:
        due = self._due.get(what, self._time)
        if self._time < due - 1e-9:
            return False
        self._due[what] = due + period if self._time - due < period else self._time + period
        return True
