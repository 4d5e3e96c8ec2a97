"""A stock joint_trajectory_controller under the gate: the robot keeps its limits, whatever the two of them do."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from robot_agent_bodies.fake_controller import FakeJointTrajectoryController
from robot_agent_bodies.gate.config import GateConfig
from robot_agent_bodies.gate.gate import Command, Gate, Now, Refusal, Status

CONFIG: dict[str, Any] = {
    "joints": ("a", "b"),
    "output": "joint_trajectory",
    "lower": (-1.0,),
    "upper": (2.0,),
    "velocity": (0.5, 8.0),
    "acceleration": (2.0, 100.0),
    "jerk": (20.0, 3000.0),
}
EPOCH = 1_800_000_000 * 10**9
PERIOD = 0.005


class Arm:
    """A gate, a controller and a robot that does what the controller wants.

    Args:
        delay: seconds that messages take to the controller, at most.
        sags: rad that the joints rest below what the controller wants.
        speed: s of simulated time in a real one; None for real time.
        changes: of the gate's parameters.
    """

    def __init__(self, delay: float = 0.0, sags: float = 0.0, speed: float | None = None, **changes: Any) -> None:
        self.speed = speed
        self.gate = Gate(GateConfig(**{**CONFIG, **changes}))
        self.time, self.delay, self.sags = 100.0, delay, sags
        self.controller = FakeJointTrajectoryController([0.5, -0.5], self.ns)
        self.obeys = True
        self.random = random.Random(0)
        self.fastest, self.hardest, self.positions = [0.0, 0.0], [0.0, 0.0], [[0.5, -0.5]]
        self._on_the_way: list[tuple[int, Any]] = []

    @property
    def ns(self) -> int:
        return EPOCH + round(self.time * 1e9)

    @property
    def now(self) -> Now:
        real = None if self.speed is None else self.time / self.speed
        return Now(self.time, self.ns, self.ns if real is None else EPOCH + round(real * 1e9), real)

    def run(self, seconds: float, wish: Sequence[float] | None = None, pauses: float = 0.0, **changes: Any) -> Arm:
        """Lets time pass, with commands in it or without; the gate pauses at random for so long at most."""
        end, commands_at = self.time + seconds, self.time
        while self.time < end - 1e-9:
            wanted = self.controller.at(self.ns)
            self.gate.measure(
                ("a", "b"), [state.position - self.sags for state in wanted], [0.0, 0.0], self.ns, self.now
            )
            if wish is not None and self.time >= commands_at:
                self.send(wish, **changes)
                commands_at += 1 / 30
            self.gate.step(self.now)
            trajectory = self.gate.trajectory
            if trajectory is not None and self.obeys:
                self._on_the_way.append((self.ns + round(self.random.uniform(0, self.delay) * 1e9), trajectory))
            self.time += (PERIOD + self.random.uniform(0, pauses)) * (self.speed or 1.0)
            self._deliver()
        return self

    def send(self, wish: Sequence[float], **changes: Any) -> Refusal | None:
        return self.gate.command(Command(("a", "b"), wish, self.ns, self.now.system, b"agent", **changes), self.now)

    def _deliver(self) -> None:
        for arrival, trajectory in sorted(self._on_the_way, key=lambda one: one[0]):
            if arrival <= self.ns:
                self._watch(arrival)
                self.controller.receive(trajectory.stamp, trajectory.points, arrival)
        self._on_the_way = [one for one in self._on_the_way if one[0] > self.ns]
        self._watch(self.ns)

    def _watch(self, until: int) -> None:
        for states in self.controller.corners(until):
            for joint, state in enumerate(states):
                self.fastest[joint] = max(self.fastest[joint], abs(state.velocity))
                self.hardest[joint] = max(self.hardest[joint], abs(state.acceleration))
        self.positions.append([state.position for state in self.controller.at(until)])

    @property
    def position(self) -> list[float]:
        return self.positions[-1]

    def assert_within_limits(self) -> None:
        for joint in range(2):
            assert self.fastest[joint] <= CONFIG["velocity"][joint] * (1 + 1e-6)
            assert self.hardest[joint] <= CONFIG["acceleration"][joint] * (1 + 1e-6)
            assert all(-1 - 1e-6 <= positions[joint] <= 2 + 1e-6 for positions in self.positions)


def test_the_robot_goes_where_it_is_asked_to_and_nothing_is_refused():
    arm = Arm().run(1.5).run(4.0, [1.5, 1.0])
    assert arm.gate.status is Status.FOLLOWING
    assert arm.position == pytest.approx([1.5, 1.0], abs=1e-3)
    assert arm.controller.refused == []
    arm.assert_within_limits()
    assert arm.fastest == pytest.approx([0.5, 8.0], rel=0.1)  # and is not slow about it


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.006])
@pytest.mark.parametrize("pauses", [0.0, 0.004, 0.3])
def test_limits_hold_in_what_the_robot_does_however_the_gate_is_delayed(delay: float, pauses: float):
    arm = Arm(delay).run(1.5, pauses=pauses)
    draw = random.Random(1)
    for _ in range(100):
        wish = [draw.choice((-9.0, 9.0, draw.uniform(-1, 2))) for _ in range(2)]
        arm.run(draw.uniform(0.01, 0.6), draw.choice((wish, wish, None)), pauses)
    arm.assert_within_limits()
    if pauses < 0.1:  # else it does little but stop
        assert arm.hardest[0] > 1.8
        assert arm.hardest[1] > 80


@pytest.mark.parametrize("speed", [0.1, 1.0, 4.0])
def test_limits_count_in_simulated_time(speed: float):
    arm = Arm(speed=speed, command_timeout=0.3, tracking_error=1.0).run(1.5).run(1.5, [2.0, 2.0])
    arm.assert_within_limits()
    assert arm.fastest == pytest.approx([0.5, 8.0], rel=0.1)
    assert arm.controller.refused == []


def test_a_controller_that_is_deaf_for_a_moment_goes_on_as_the_command_says():
    arm = Arm().run(1.5)
    for step in range(40):
        arm.obeys = step % 2 == 0
        arm.run(0.04, [2.0, -0.5])
    arm.assert_within_limits()
    assert arm.position[0] > 0.9


def test_messages_that_stop_end_in_a_stop_within_limits():
    arm = Arm().run(1.5).run(0.5, [2.0, 2.0])
    arm.obeys = False  # the gate died
    before = arm.position
    arm.run(1.0)
    assert 0.05 < arm.position[0] - before[0] < 0.15
    still = arm.position
    assert arm.run(1.0).position == still
    arm.assert_within_limits()


def test_a_controller_that_does_not_obey_is_not_run_away_from_and_does_not_jump_when_it_does():
    arm = Arm(tracking_error=0.2).run(1.5)
    arm.obeys = False
    arm.run(3.0, [2.0, -0.5])
    assert arm.gate.status is Status.NOT_FOLLOWING
    assert abs(arm.gate.shapers[0].state.position - 0.5) <= 0.2 + 1e-9
    arm.obeys = True  # it was inactive
    arm.run(2.0)
    assert arm.position[0] == pytest.approx(0.7, abs=1e-3)
    arm.gate.reset(arm.now)
    arm.run(1.0).run(4.0, [1.5, -0.5])
    assert arm.position[0] == pytest.approx(1.5, abs=1e-3)
    arm.assert_within_limits()


@pytest.mark.parametrize("sags", [-0.06, 0.06])
def test_a_controller_that_wants_something_else_than_what_is_measured_approaches_it_within_limits(sags: float):
    arm = Arm(sags=sags).run(0.1, [2.0, 1.0]).run(3.0, [1.0, 1.0])
    arm.assert_within_limits()
    assert arm.position == pytest.approx([1.0, 1.0], abs=1e-3)
