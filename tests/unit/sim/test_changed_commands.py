"""Commands that change on their way: late, reversed, and meant for other actuators, in any world."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import robot_agent_sim
from robot_agent_sim.arena.games import PursuitEnv
from robot_agent_sim.drift.change import Change, Range
from robot_agent_sim.drift.drift import Drift
from robot_agent_sim.drift.parallel import ParallelDrift
from robot_agent_sim.gymnasium_env import adapt
from robot_agent_sim.life.chapter import Chapter
from robot_agent_sim.life.stream import LifeStream
from robot_agent_sim.wrappers.changed_command import ChangedCommand


class Echo(gymnasium.Env[Any, Any]):
    """A world without a model that shows the last command; 0.1 s a frame."""

    metadata: dict[str, Any] = {"control_dt": 0.1}  # noqa: RUF012

    def __init__(
        self, low: tuple[float, ...] = (-1, 0, 5), high: tuple[float, ...] = (1, 10, 7), kind: Any = np.float32
    ):
        self.action_space = gymnasium.spaces.Box(np.array(low, kind), np.array(high, kind), dtype=kind)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (len(low),), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros(self.observation_space.shape, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.asarray(action, np.float32), 0.0, False, False, {}


def arrived(env: gymnasium.Env[Any, Any], *actions: tuple[float, ...]) -> list[list[float]]:
    """What the body got for actions in [-1, 1]."""
    env.reset(seed=0)
    return [env.step(np.array(action, np.float32))[0]["proprio"].tolist() for action in actions]


def test_as_made_commands_arrive_as_they_are_given() -> None:
    assert arrived(adapt(Echo(), ("proprio",)), (1, 0, -1)) == [[1, 5, 5]]


def test_a_reversed_entry_is_mirrored_between_its_bounds() -> None:
    env = Drift(adapt(Echo(), ("proprio",)), [Change("reversed", 1.0, "1")])
    assert arrived(env, (0.5, 1, -1)) == [[0.5, 0, 5]]
    everything = Drift(adapt(Echo(), ("proprio",)), [Change("reversed", 1.0)])
    assert arrived(everything, (0.5, 1, -1)) == [[-0.5, 0, 7]]


def test_a_permuted_command_is_scaled_to_the_bounds_it_comes_to() -> None:
    env = Drift(adapt(Echo(), ("proprio",)), [Change("permuted", 1.0)])
    assert arrived(env, (-1, 0, 1)) == [[1, 0, 6]]
    back = Drift(adapt(Echo(), ("proprio",)), [Change("permuted", -1.0)])
    assert arrived(back, (-1, 0, 1)) == [[0, 10, 5]]


def test_a_command_is_late_to_the_frame_and_before_it_comes_the_middle_of_the_bounds() -> None:
    env = Drift(adapt(Echo(), ("proprio",), action_repeat=2), [Change("command_delay", 0.3)])
    for _ in range(2):  # nothing of an episode is under way in the next
        assert arrived(env, (1, 1, 1), (-1, -1, -1), (0, 0, 0)) == [[0, 5, 6], [1, 10, 7], [-1, 0, 5]]


def test_a_delay_that_ends_lets_commands_through_again() -> None:
    env = Drift(adapt(Echo(), ("proprio",)), [Change("command_delay", 0.2, until=2)])
    assert arrived(env, (1, 1, 1), (1, 1, 1), (-1, -1, -1))[2] == [-1, 0, 5]


def test_whole_numbers_stay_whole_and_within_their_bounds() -> None:
    env = Drift(
        adapt(Echo((0, -2), (1, 2), np.int64), ("proprio",)), [Change("reversed", 1.0), Change("permuted", 1.0)]
    )
    told = arrived(env, *np.random.default_rng(0).uniform(-1, 1, (50, 2)))
    assert {number for number, _ in told} == {0, 1}
    assert {number for _, number in told} == {-2, 2}


def test_two_reversals_are_none_and_a_range_is_drawn_for_each_episode() -> None:
    twice = Drift(adapt(Echo(), ("proprio",)), [Change("reversed", 1.0), Change("reversed", 1.0)])
    assert arrived(twice, (0.5, 1, -1)) == [[0.5, 10, 5]]
    drawn = Drift(adapt(Echo(), ("proprio",)), ranges=[Range("permuted", 0.0, 2.4)])
    drawn.reset(seed=0)
    seen = set()
    for _ in range(30):
        drawn.reset()
        seen.add(tuple(drawn.step(np.array([-1, 0, 1], np.float32))[0]["proprio"].tolist()))
    assert len(seen) == 3


@pytest.mark.parametrize("world", ["so101/reach", "dmc/walker-walk", "gym/Pendulum-v1"])
def test_any_world_takes_them_and_leaves_no_trace(world: str) -> None:
    env = robot_agent_sim.make(world)
    actions = np.random.default_rng(0).uniform(-1, 1, (8, *env.action_space.shape)).astype(np.float32)

    def seen() -> list[np.ndarray]:
        env.reset(seed=0)
        return [env.step(action)[0]["proprio"] for action in actions]

    plain = seen()
    drift = Drift(env, [Change("reversed", 1.0)])
    drift.reset(seed=0)
    changed = [drift.step(action)[0]["proprio"] for action in actions]
    drift.restore()
    env.reset(seed=0)
    opposite = [env.step(-action)[0]["proprio"] for action in actions]
    assert not np.array_equal(changed, plain)
    np.testing.assert_allclose(changed, opposite, atol=1e-4)
    assert np.array_equal(seen(), plain)


def test_an_actuators_name_is_its_entry() -> None:
    env = robot_agent_sim.make("so101/reach")
    Drift(env, [Change("reversed", 1.0, "elbow_flex")]).reset(seed=0)
    layer = env
    while not isinstance(layer, ChangedCommand):
        layer = layer.env
    assert layer.reversed_entries.tolist() == [False, False, True, False, False, False]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="no entry 'elbow' of the command, expected one of 0, 1, 2"):
        Drift(adapt(Echo(), ("proprio",)), [Change("reversed", 1.0, "elbow")])
    with pytest.raises(ValueError, match="delays all entries of a command alike"):
        Drift(adapt(Echo(), ("proprio",)), [Change("command_delay", 0.1, "1")])
    with pytest.raises(ValueError, match="no MuJoCo model that could change"):
        Drift(adapt(Echo(), ("proprio",)), [Change("gain", 0.5)])
    with pytest.raises(ValueError, match=r"on their way: build the world with robot_agent_sim\.make"):
        ParallelDrift(PursuitEnv(camera_size=(16, 16), camera_backend="raycast"), [Change("reversed", 1.0)])


def test_a_life_may_hold_worlds_of_others() -> None:
    chapters = [
        Chapter("dmc/walker-walk", 3),
        Chapter("dmc/walker-walk", 3, (Change("reversed", 1.0),)),
        Chapter("dmc/walker-run", 3, (Change("command_delay", 0.05),)),
    ]
    env = LifeStream(chapters, robot_agent_sim.make)
    worlds = []
    for _ in range(9):
        _, info = env.reset(seed=0)
        worlds.append((info["world"], info["drift"]))
        for _ in range(3):
            *_, info = env.step(np.ones(6, np.float32))
    assert worlds[:4] == [
        ("dmc/walker-walk", {}),
        ("dmc/walker-walk", {"reversed": 1.0}),
        ("dmc/walker-run", {"command_delay": 0.05}),
        ("dmc/walker-walk", {}),
    ]
