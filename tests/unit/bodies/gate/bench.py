"""A gate on a bench: its clocks, its commands, and a robot that obeys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from robot_agent_bodies.gate.brake import State
from robot_agent_bodies.gate.clocks import Now
from robot_agent_bodies.gate.command import Command
from robot_agent_bodies.gate.config import GateConfig
from robot_agent_bodies.gate.gate import Gate
from robot_agent_bodies.gate.status import Refusal

CONFIG = GateConfig(
    joints=("a", "b"), lower=(-1.0,), upper=(2.0,), velocity=(2.0,), acceleration=(10.0,), jerk=(100.0,)
)
EPOCH = 1_800_000_000 * 10**9
PERIOD = 0.005


class Bench:
    """A gate, its clocks, and a robot that obeys at once unless it is told otherwise."""

    def __init__(self, **changes: Any) -> None:
        self.gate = Gate(replace(CONFIG, **changes))
        self.steady, self.ros_ahead, self.system_ahead = 100.0, 0.0, 0.0
        self.robot: list[float] | None = [0.5, -0.5]
        self.obeys = True
        self.states: tuple[State, ...] | None = None

    @property
    def now(self) -> Now:
        ns = EPOCH + round(self.steady * 1e9)
        return Now(self.steady, ns + round(self.ros_ahead * 1e9), ns + round(self.system_ahead * 1e9))

    def run(self, seconds: float, wish: list[float] | None = None, every: float = 1 / 30) -> Bench:
        """Lets time pass, with the agent's commands in it or without."""
        end, next_command = self.steady + seconds, self.steady
        while self.steady < end - 1e-9:
            if wish is not None and self.steady >= next_command:
                self.send(wish)
                next_command += every
            if self.robot is not None and self.gate.config.measures:
                self.gate.measure(("a", "b"), self.robot, [0.0, 0.0], self.now.ros, self.now)
            self.states = self.gate.step(self.now)
            if self.obeys and self.states and self.robot is not None:
                self.robot = [state.position for state in self.states]
            self.steady += PERIOD
        return self

    def send(self, values: list[float] | None, age: float = 0.0, **changes: Any) -> Refusal | None:
        now = self.now
        stamp, source = now.ros - round(age * 1e9), now.system - round(age * 1e9)
        return self.gate.command(replace(Command(("a", "b"), values, stamp, source, b"agent"), **changes), now)

    @property
    def positions(self) -> list[float]:
        assert self.states is not None
        return [state.position for state in self.states]
