"""Two rovers in one arena: PettingZoo's own checks, who wins by which script, and the world as one agent sees it."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import parallel_api_test, parallel_seed_test
from robot_agent_sim import OPPONENTS, UnknownWorldError, make, make_parallel
from robot_agent_sim.arena.arena import ArenaEnv
from robot_agent_sim.arena.games import PursuitEnv, PushEnv
from robot_agent_sim.arena.solo import BEHAVIOURS, SoloEnv
from robot_agent_sim.drift.change import Change
from robot_agent_sim.drift.drift import Drift
from robot_agent_sim.worlds import SHARED_WORLDS, SIDES

NAMES = sorted(SHARED_WORLDS)


ARENAS = {"arena/pursuit": PursuitEnv, "arena/push": PushEnv}


def arena(name: str, **options) -> ArenaEnv:
    """Blind unless asked otherwise: fast, for what has nothing to do with cameras."""
    return ARENAS[name](**{"streams": ("proprio",), **options})


@pytest.mark.parametrize("name", NAMES)
# PettingZoo's checker remarks that rewards could be normalised and that there is no window to close.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pettingzoo_accepts_it(name: str):
    parallel_api_test(arena(name), num_cycles=450)
    parallel_seed_test(lambda: arena(name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pettingzoo_accepts_it_with_cameras(name: str):
    parallel_api_test(
        make_parallel(name, camera_size=(8, 8), camera_backend="raycast", episode_steps=20), num_cycles=50
    )


@pytest.mark.parametrize("name", SIDES)
@pytest.mark.filterwarnings("ignore::UserWarning")  # remarks of the checker
def test_gymnasium_accepts_it_as_one_agent_sees_it(name: str):
    check_env(make(name, streams=("proprio", "camera"), camera_backend="raycast", camera_size=(16, 16)))


def played(world: ArenaEnv, seed: int, idle: str | None) -> dict[str, bool]:
    _, infos = world.reset(seed)
    while world.agents:
        actions = {agent: np.zeros(2) if agent == idle else world.scripted_action(agent) for agent in world.agents}
        *_, infos = world.step(actions)
    return {agent: info["success"] for agent, info in infos.items()}


@pytest.mark.parametrize(
    ("name", "idle"), [("arena/pursuit", "runner"), ("arena/push", "west"), ("arena/push", "east")]
)
def test_the_script_wins_against_who_stands_still(name: str, idle: str):
    world = arena(name)
    for seed in range(3):
        outcome = played(world, seed, idle)
        assert not outcome[idle]
        assert all(won for agent, won in outcome.items() if agent != idle)


def test_a_chaser_that_stands_still_catches_nobody():
    assert not any(played(arena("arena/pursuit"), seed, "chaser")["chaser"] for seed in range(3))


def test_what_one_gains_the_other_loses():
    for name, total in (("arena/pursuit", 1.0), ("arena/push", 0.0)):
        world = arena(name)
        world.reset(0)
        for _ in range(30):
            _, rewards, *_ = world.step({agent: world.scripted_action(agent) for agent in world.agents})
            assert sum(rewards.values()) == pytest.approx(total)


def test_each_agent_sees_its_own_picture():
    world = arena("arena/pursuit", streams=("camera",), camera_backend="raycast")
    observations, _ = world.reset(1)
    pictures = [observation["camera/front"] for observation in observations.values()]
    assert pictures[0].shape == (64, 64, 3)
    assert np.any(pictures[0] != pictures[1])


def test_actions_are_clipped_counted_and_refused():
    world = arena("arena/push")
    world.reset(0)
    *_, infos = world.step({"east": np.array([2.0, 0.0]), "west": np.zeros(2)})
    assert (infos["east"]["clipped_actions"], infos["west"]["clipped_actions"]) == (1, 0)
    with pytest.raises(ValueError, match="no action for west, expected one for each living agent"):
        world.step({"east": np.zeros(2)})
    with pytest.raises(ValueError, match="expected finite numbers"):
        world.step({"east": np.zeros(2), "west": np.array([np.nan, 0])})


def test_the_opponent_changes_its_behaviour_during_life():
    solo = SoloEnv(arena("arena/pursuit", episode_steps=20), "chaser")
    changing = Drift(solo, [Change("opponent", 2.0, at=20)])
    moved = []
    for _ in range(2):
        changing.reset(seed=0)
        before = solo.arena.rovers["runner"].position(solo.arena.data).copy()
        for _ in range(20):
            changing.step(np.zeros(2, np.float32))
        moved.append(np.linalg.norm(solo.arena.rovers["runner"].position(solo.arena.data) - before))
    assert moved[0] > 0.3
    assert moved[1] < 0.05


def test_every_behaviour_is_reproducible():
    for opponent in range(len(BEHAVIOURS)):
        places = []
        for _ in range(2):
            solo = SoloEnv(arena("arena/push"), "east", opponent=opponent)
            solo.reset(seed=4)
            for _ in range(15):
                *_, info = solo.step(np.zeros(2, np.float32))
            places.append(info["state"])
        assert np.array_equal(*places)


def test_a_runner_gets_in_its_motors_what_it_feels_commanded():
    world = arena("arena/pursuit")
    world.reset(0)
    for _ in range(15):
        observations, *_ = world.step({"chaser": np.zeros(2), "runner": np.ones(2)})
    felt, motors = observations["runner"]["proprio"], world.model.actuator("runner/left_wheel")
    assert felt[2:] == pytest.approx([13.5, 13.5])
    assert motors.ctrlrange[1] == pytest.approx(13.5)
    # In the air the wheels reach what is commanded, and do not when the command is beyond what the motor takes.
    world.data.qpos[world.model.joint("runner/free").qposadr[0] + 2] = 5.0
    world.model.opt.gravity[:] = 0
    for _ in range(10):
        felt = world.step({"chaser": np.zeros(2), "runner": np.ones(2)})[0]["runner"]["proprio"]
    assert felt[:2] == pytest.approx(felt[2:], abs=0.2)
    assert "13.5 for runner" in world.metadata["action_meaning"]


def test_each_side_of_an_arena_is_a_world():
    for name, (shared, agent, _) in SIDES.items():
        env = make(name, camera_size=(8, 8), camera_backend="raycast")
        assert isinstance(env.unwrapped, SoloEnv)
        assert (env.unwrapped.agent, type(env.unwrapped.arena)) == (agent, ARENAS[shared])
    runner = make("arena/pursuit/runner", camera_size=(8, 8), camera_backend="raycast")
    chaser = make("arena/pursuit", camera_size=(8, 8), camera_backend="raycast")
    rewards = []
    for env in (runner, chaser):
        env.reset(seed=0)
        rewards.append(env.step(env.unwrapped.arena.scripted_action(env.unwrapped.agent))[1])
    assert sum(rewards) == pytest.approx(1.0, abs=1e-6), "the same episode from both sides"


def test_an_opponent_is_named_or_given():
    def at(opponent, steps: int = 25) -> np.ndarray:
        env = make("arena/pursuit", camera_size=(8, 8), camera_backend="raycast", opponent=opponent)
        env.reset(seed=0)
        for _ in range(steps):
            env.step(np.zeros(2))
        return env.unwrapped.arena.rovers["runner"].position(env.unwrapped.arena.data).copy()

    stands, drives = at("still"), at(lambda solo, observation: np.ones(2))
    begins = at("still", steps=0)
    assert np.linalg.norm(stands - begins) < 0.05
    assert np.linalg.norm(drives - begins) > 0.3
    assert np.any(at("scripted") != at("random"))
    with pytest.raises(ValueError, match="opponent is 'asleep', expected scripted, random, still, or a function"):
        at("asleep")
    with pytest.raises(ValueError, match="there is no opponent in rover/goal: leave it out, or choose one of arena/"):
        make("rover/goal", opponent="random")
    assert [behaviour.__name__ for behaviour in BEHAVIOURS] == list(OPPONENTS)


def test_an_opponent_that_was_given_can_be_changed_for_the_built_in_ones_and_comes_back():
    env = make("arena/push", camera_size=(8, 8), camera_backend="raycast", opponent=lambda solo, seen: np.ones(2))
    drift = Drift(env, [Change("opponent", 2.0, at=3, until=5)])
    drift.reset(seed=0)
    chosen = []
    for _ in range(7):
        drift.step(np.zeros(2))
        chosen.append(env.unwrapped.opponent)
    assert chosen == [3, 3, 3, 2, 2, 3, 3]


def test_unknown_names_are_refused():
    with pytest.raises(UnknownWorldError, match="expected one of arena/pursuit, arena/push"):
        make_parallel("arena/chess")
    with pytest.raises(ValueError, match="there is no agent 'nobody', expected one of chaser, runner"):
        SoloEnv(arena("arena/pursuit"), "nobody")
    with pytest.raises(ValueError, match="opponent is 9, expected 0 to 2"):
        SoloEnv(arena("arena/pursuit"), "chaser", opponent=9)
    with pytest.raises(ValueError, match="streams is"):
        make_parallel("arena/push", streams=("smell",))


def test_a_behaviour_that_comes_in_the_middle_of_an_episode_knows_nothing_of_earlier_ones():
    states = []
    for past in (0, 1):
        solo = SoloEnv(arena("arena/push"), "east", opponent=1)
        for seed in range(past):
            solo.reset(seed=seed)
            for _ in range(8):
                solo.step(np.zeros(2, np.float32))
        solo.opponent = 2
        solo.reset(seed=4)
        solo.step(np.zeros(2, np.float32))
        solo.opponent = 1
        states.append(solo.step(np.zeros(2, np.float32))[4]["state"])
    assert np.array_equal(*states)


def test_what_an_arena_does_not_know_is_refused():
    with pytest.raises(ValueError, match="unknown option 'smell', expected one of streams"):
        make_parallel("arena/push", smell=True)
    world = arena("arena/push")
    with pytest.raises(ValueError, match="reset first"):
        world.step({})
