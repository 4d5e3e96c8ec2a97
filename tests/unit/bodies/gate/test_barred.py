"""What others say of the robot's wires stops it, and simulated time is the time in which limits count."""

from __future__ import annotations

import pytest
from robot_agent_bodies.gate.config import GateConfig
from robot_agent_bodies.gate.gate import Bar, Command, Gate, Now, Refusal, Status

LIMIT = 2.0
CONFIG = GateConfig(
    joints=("a", "b"), lower=(-1.0,), upper=(2.0,), velocity=(LIMIT,), acceleration=(10.0,), jerk=(100.0,)
)
ROVER = GateConfig(
    joints=("linear.x", "angular.z"), output="twist", velocity=(LIMIT,), acceleration=(10.0,), jerk=(100.0,)
)
SOURCES = Bar(Status.SEVERAL_SOURCES, "two nodes publish joint_states")
EPOCH = 1_800_000_000 * 10**9
PERIOD = 0.005


class Stand:
    """A gate, a robot that obeys at once, and simulated time if `speed` is given: its seconds in a real one."""

    def __init__(self, config: GateConfig = CONFIG, speed: float | None = None) -> None:
        self.gate, self.real, self.ros, self.speed = Gate(config), 100.0, 100.0, speed
        self.position = [0.0, 0.0]
        self.sent: list[tuple[float, list[float]]] = []

    @property
    def now(self) -> Now:
        ros, system = (EPOCH + round(seconds * 1e9) for seconds in (self.ros, self.real))
        return Now(self.real, ros, system) if self.speed is None else Now(self.ros, ros, system, self.real)

    def run(self, seconds: float, wish: float | None = None) -> Stand:
        """Some real seconds, with commands in all of them or none."""
        for _ in range(round(seconds / PERIOD)):
            if self.gate.config.measures:
                self.gate.measure(("a", "b"), self.position, [0.0, 0.0], self.now.ros, self.now)
            if wish is not None:
                self.command(wish)
            states = self.gate.step(self.now)
            if states is not None:
                velocity = self.gate.config.moves_by_velocity
                self.position = [state.velocity if velocity else state.position for state in states]
                self.sent.append((self.ros, self.position))
            self.real += PERIOD
            self.ros += PERIOD * (1.0 if self.speed is None else self.speed)
        return self

    def command(self, wish: float) -> Refusal | None:
        now = self.now
        return self.gate.command(Command(self.gate.config.joints, [wish, wish], now.ros, now.system, b"agent"), now)


@pytest.mark.parametrize("config", [CONFIG, ROVER], ids=["arm", "rover"])
def test_a_barred_gate_brakes_within_its_limits_then_sends_nothing_and_goes_on_afterwards(config: GateConfig):
    stand = Stand(config).run(0.5, 1.0)
    stand.gate.barred = SOURCES
    assert stand.command(1.0) is Refusal.SEVERAL_SOURCES
    before = len(stand.sent)
    stand.run(1.0, 1.0)
    assert stand.gate.status is Status.SEVERAL_SOURCES
    stop = stand.sent[before:]
    assert 0 < len(stop) < 100
    stand.gate.barred = None
    stand.run(1.0, 1.0)
    assert stand.gate.status is Status.FOLLOWING
    assert stand.position == pytest.approx([1.0, 1.0], abs=1e-4)
    for (_, before_it), (_, after_it) in zip(stand.sent, stand.sent[1:], strict=False):
        largest = LIMIT if config is CONFIG else 10.0
        assert abs(after_it[0] - before_it[0]) <= largest * 2 * PERIOD + 1e-9


def test_a_barred_gate_does_not_begin():
    stand = Stand()
    stand.gate.barred = SOURCES
    assert stand.run(0.5, 1.0).sent == []
    assert stand.gate.status is Status.SEVERAL_SOURCES
    stand.gate.barred = None
    assert stand.run(0.5).gate.status is Status.HOLDING


def test_a_robot_that_somebody_else_moved_meanwhile_is_held_where_it_is():
    stand = Stand().run(0.5)
    stand.gate.barred = SOURCES
    stand.run(0.5)
    stand.position, before = [0.7, 0.7], len(stand.sent)
    stand.gate.barred = None
    stand.run(0.1)
    assert stand.sent[before][1] == [0.7, 0.7]


@pytest.mark.parametrize("speed", [0.1, 1.0, 5.0])
def test_limits_and_timeouts_count_in_simulated_time(speed: float):
    stand = Stand(speed=speed).run(0.1).run(1.5 / speed, 2.0)
    speeds = [
        (after[0] - before[0]) / (at - since)
        for (since, before), (at, after) in zip(stand.sent, stand.sent[1:], strict=False)
    ]
    assert max(speeds) <= LIMIT * (1 + 1e-6)
    assert max(speeds) > 0.7 * min(LIMIT, LIMIT * 2 * PERIOD / (PERIOD * speed))
    assert stand.gate.refused == {}
    assert stand.run(0.05 / speed).gate.status is Status.FOLLOWING  # command_timeout is 0.1 s
    assert stand.run(0.1 / speed).gate.status is Status.HOLDING


def test_simulated_time_that_stands_still_is_said_and_stops_the_robot_until_it_goes_on():
    stand = Stand(speed=1.0).run(0.3, 1.0)
    stand.speed = 0.0
    assert stand.run(0.4, 1.0).gate.status is Status.FOLLOWING
    before = stand.position
    assert stand.run(0.2, 1.0).gate.status is Status.CLOCK_STOPPED
    assert stand.command(1.0) is Refusal.CLOCK_STOPPED
    assert stand.position == before
    stand.speed = 1.0
    assert stand.run(0.3, 1.0).gate.status is Status.FOLLOWING


def test_simulated_time_that_never_began_is_said():
    assert Stand(speed=0.0).run(0.6).gate.status is Status.CLOCK_STOPPED


@pytest.mark.parametrize("position", [1e308, -1e10])
def test_an_implausible_position_is_ignored(position: float):
    stand = Stand().run(0.1)
    assert stand.gate.measure(("a", "b"), [0.0, position], [], stand.now.ros, stand.now) is Refusal.NON_FINITE
