"""The wires of the simulated body: what comes late comes exactly so late, and what is lost is counted."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from robot_agent_ros.errors import ParameterError
from robot_agent_ros.sim_body.body import Body, Lag, Outcome
from robot_agent_ros.sim_body.config import SimBodyConfig
from robot_agent_ros.sim_body.worlds import camera_of, live_world
from robot_agent_sim.servo_arm.reach import HOME

TICK_NS = 5_000_000


class Life:
    """A body and all that came of its ticks."""

    def __init__(self, **settings: object) -> None:
        self.config = SimBodyConfig(**settings)  # type: ignore[arg-type]
        self.body = Body(live_world(self.config.world, 0.005, self.config.seed), self.config)
        self.now = 0
        self.outcomes: list[tuple[int, Outcome]] = []

    def live(self, seconds: float) -> Life:
        for _ in range(round(seconds * 200)):
            self.now += TICK_NS
            self.outcomes.append((self.now, self.body.tick(self.now)))
        return self

    def ages(self, what: str) -> list[int]:
        """Of each thing when it came, in ticks."""
        return [(now - one.stamp) // TICK_NS for now, outcome in self.outcomes for one in getattr(outcome, what)]

    def stamps(self, what: str) -> list[int]:
        return [one.stamp for _, outcome in self.outcomes for one in getattr(outcome, what)]

    def readings(self) -> np.ndarray:
        return np.array([one.what.position for _, outcome in self.outcomes for one in outcome.joints])


def test_joints_come_with_every_tick_and_frames_at_their_rate():
    life = Life().live(2.0)
    assert life.stamps("joints") == [TICK_NS * (tick + 1) for tick in range(400)]
    assert len(life.stamps("exposures")) == 60
    gaps = np.diff(life.stamps("exposures")) / 1e6
    assert gaps.min() >= 30
    assert gaps.max() <= 35
    assert sum(outcome.reward is not None for _, outcome in life.outcomes) == 60


@pytest.mark.parametrize(("what", "setting"), [("joints", "joint_delay"), ("exposures", "camera_delay")])
def test_delays_are_kept_and_can_change_while_the_body_lives(what: str, setting: str):
    life = Life(**{setting: 0.05}).live(1.0)
    assert set(life.ages(what)) == {10}
    life.body.config = replace(life.config, **{setting: 0.0})
    life.outcomes.clear()
    life.live(1.0)
    assert life.ages(what)[-1] == 0
    assert sorted(life.stamps(what)) == life.stamps(what)


def test_a_command_reaches_the_servos_after_its_delay():
    life = Life(command_delay=0.1).live(0.1)
    life.body.command(partial(life.body.world.command, HOME + 0.2))
    life.live(0.1)
    assert not np.allclose(life.body.world.world.data.ctrl, HOME + 0.2)
    life.live(0.005)
    np.testing.assert_allclose(life.body.world.world.data.ctrl, HOME + 0.2)


@pytest.mark.parametrize(("what", "setting"), [("joints", "joint_loss"), ("exposures", "camera_loss")])
def test_what_is_lost_is_counted_and_the_same_seed_loses_the_same(what: str, setting: str):
    one, other, third = (Life(seed=seed, **{setting: 0.3}).live(10.0) for seed in (1, 1, 2))
    lost = getattr(one.body.counts, f"{what}_lost")
    assert lost + len(one.stamps(what)) == {"joints": 2000, "exposures": 300}[what]
    assert 0.2 < lost / {"joints": 2000, "exposures": 300}[what] < 0.4
    assert one.stamps(what) == other.stamps(what)
    assert one.stamps(what) != third.stamps(what)


def test_noise_is_as_large_as_asked_and_changes_no_motion():
    quiet, noisy = Life().live(3.0), Life(joint_noise=0.01).live(3.0)
    difference = noisy.readings() - quiet.readings()
    assert difference.std() == pytest.approx(0.01, rel=0.1)
    assert abs(difference.mean()) < 0.001


def test_without_a_command_an_arm_holds():
    readings = Life().live(3.0).readings()
    np.testing.assert_allclose(readings[200:], np.broadcast_to(readings[-1], readings[200:].shape), atol=0.01)


def test_a_rover_stops_when_commands_stop():
    life = Life(world="rover/goal")
    life.body.command(partial(life.body.world.drive, 0.3, 0.0))
    life.live(0.45)
    assert life.body.world.reading().velocity.min() > 5
    life.live(0.5)
    np.testing.assert_allclose(life.body.world.reading().velocity, 0, atol=0.1)


def test_garbage_is_counted_by_name_and_the_body_goes_on():
    life = Life().live(0.1)
    before = life.body.world.world.data.ctrl.copy()
    for values in ([], [float("nan")] * 3, [0.0] * 7):
        life.body.command(partial(life.body.world.command, values))
    life.body.command(partial(life.body.world.drive, 0.1, 0.0))
    life.live(0.1)
    assert life.body.counts.commands_refused == life.body.counts.commands == 4
    assert "no wheels" in life.body.counts.last_refusal
    np.testing.assert_array_equal(life.body.world.world.data.ctrl, before)


def test_a_goal_lasts_its_period_and_is_said_again_for_those_who_come_late():
    life = Life(goal_period=1.0).live(4.0)
    said = [(now / 1e9, tuple(outcome.goal)) for now, outcome in life.outcomes if outcome.goal is not None]
    assert len({goal for _, goal in said}) == 4
    assert len(said) == 8
    changes = [at for (at, goal), (_, before) in zip(said[1:], said, strict=False) if goal != before]
    np.testing.assert_allclose(changes, [1.005, 2.005, 3.005], atol=0.0051)
    assert len({tuple(o.goal) for _, o in Life(goal_period=0.0).live(4.0).outcomes if o.goal is not None}) == 1


def test_beginning_anew_puts_the_body_back():
    life = Life(command_delay=0.05).live(0.1)
    life.body.command(partial(life.body.world.command, HOME + 0.4))
    life.live(1.0)
    life.body.command(partial(life.body.world.command, HOME - 0.1))
    life.body.begin()
    life.live(1.0)
    np.testing.assert_allclose(life.body.world.reading().position, HOME, atol=0.1)


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1e-7)), max_size=30))
def test_things_arrive_in_the_order_of_sending_and_never_early(sent: list[tuple[int, float]]):
    lag: Lag[int] = Lag()
    now, came = 0, []
    for index, (later, delay) in enumerate(sent):
        now += later
        lag.send(now, index, delay)
        for one in lag.arrived(now):
            assert now >= one.stamp + round(sent[one.what][1] * 1e9)
            came.append(one.what)
    came += [one.what for one in lag.arrived(now + 10**9)]
    assert came == list(range(len(sent)))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"speed": 2.0}, "speed is 2 without clock"),
        ({"clock": True, "camera_delay": 0.1}, "camera_delay is 0.1 s with clock"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict, sentence: str):
    with pytest.raises(ParameterError, match=sentence):
        SimBodyConfig(**settings)


@pytest.mark.parametrize(
    ("world", "sentence"),
    [
        ("servo-arm/reech", "did you mean servo-arm/reach"),
        ("dmc/cartpole-swingup", "expected one that is made here"),
        ("rover/traffic", "moves others too"),
    ],
)
def test_worlds_that_cannot_be_a_body_are_refused(world: str, sentence: str):
    with pytest.raises(ParameterError, match=sentence):
        live_world(world, 0.005, 0)


def test_the_camera_is_the_one_that_agents_see_unless_another_is_named():
    world = live_world("so101/reach", 0.005, 0)
    assert camera_of(world, "") == "overhead"
    assert camera_of(world, "wrist") == "wrist"
    assert camera_of(live_world("rover/goal", 0.005, 0), "") == "front"
    with pytest.raises(ParameterError, match="expected one of overhead, wrist"):
        camera_of(world, "side")
