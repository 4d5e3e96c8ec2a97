"""What the worlds that are made here promise: gymnasium's form, the same life from the same seed, finite numbers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest
import robot_agent_sim
from gymnasium.utils.env_checker import check_env
from robot_agent_sim.arena.games import PursuitEnv, PushEnv
from robot_agent_sim.arena.solo import SoloEnv
from robot_agent_sim.life.lives import LIVES
from robot_agent_sim.life.stream import LifeStream
from robot_agent_sim.so101.batch import ArmBatch
from robot_agent_sim.so101.tasks import ReachEnv
from robot_agent_sim.worlds import OWN_WORLDS, SEEN_ONLY, SHARED_WORLDS, SIDES

LIVES_BY_NAME = tuple(f"life/{name}" for name in LIVES)
ALL = (*OWN_WORLDS, *SIDES, *LIVES_BY_NAME)
"""Every world that is made here, as one agent lives in it."""
NEED_EYES = sorted({*SEEN_ONLY, "life/rover-rivals", "life/rover-seasons"})
"""Where only the camera shows what shall be done."""
ARENAS = {"arena/pursuit": PursuitEnv, "arena/push": PushEnv}


def blind(world: str) -> gymnasium.Env[Any, Any]:
    """A world for physics alone: `make` refuses to leave the camera out where it is needed, its classes do not."""
    if world in OWN_WORLDS:
        return gymnasium.make(f"{world}-v0", streams=("proprio",), disable_env_checker=True).unwrapped
    if world in SIDES:
        shared, agent, _ = SIDES[world]
        return SoloEnv(ARENAS[shared](streams=("proprio",)), agent)
    return LifeStream(LIVES[world.removeprefix("life/")][1], blind)


def lived_alike(one: gymnasium.Env[Any, Any], other: gymnasium.Env[Any, Any], steps: int) -> int:
    """Lives in two worlds with the same actions, from episode to episode; the number of episodes, all alike."""
    rng, episodes = np.random.default_rng(7), 0
    worlds, truncated = (one, other), True
    for step in range(steps):
        if truncated:
            starts = [env.reset(seed=3 if episodes == 0 else None) for env in worlds]
            episodes += 1
            same(*(start[0] for start in starts), step)
            assert np.array_equal(*(start[1]["state"] for start in starts))
        action = rng.uniform(-1.2, 1.2, one.action_space.shape)
        (seen, reward, terminated, truncated, info), told = (env.step(action) for env in worlds)
        same(seen, told[0], step)
        assert (reward, terminated, truncated) == told[1:4], step
        assert np.array_equal(info["state"], told[4]["state"]), step
        assert not terminated
    return episodes


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray], step: int) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.tobytes() == other[name].tobytes(), (name, step)


def wander(env: gymnasium.Env[Any, Any], steps: int, seed: int) -> None:
    """Random actions, and nothing but finite numbers and whole bodies come of them."""
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        observation, reward, terminated, truncated, info = env.step(rng.uniform(-1, 1, env.action_space.shape))
        assert np.isfinite(reward)
        assert np.all(np.isfinite(info["state"]))
        assert all(np.all(np.isfinite(part)) for part in observation.values())
        unbroken(env)
        if terminated or truncated:
            env.reset()


def unbroken(env: gymnasium.Env[Any, Any]) -> None:
    """Nothing fell through the floor or flew off, no joint came out of its range, and quaternions are of length 1."""
    world = env.get_wrapper_attr("_now").unwrapped if isinstance(env.unwrapped, LifeStream) else env.unwrapped
    world = world.arena if isinstance(world, SoloEnv) else world
    model, data = world.model, world.data
    bodies = data.xpos[1:]
    assert bodies[:, 2].min() > -0.05
    assert np.abs(bodies).max() < 10
    kinds = model.jnt_type
    limited = model.jnt_limited.astype(bool)
    angles = data.qpos[model.jnt_qposadr[limited]]
    low, high = model.jnt_range[limited].T
    assert np.all((angles > low - 0.2) & (angles < high + 0.2))
    for address in model.jnt_qposadr[kinds == int(mujoco.mjtJoint.mjJNT_FREE)]:
        assert abs(np.linalg.norm(data.qpos[address + 3 : address + 7]) - 1) < 1e-6


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# Positions and speeds have no bounds; that is all that it may mind.
@pytest.mark.filterwarnings("ignore:.*Box observation space m(in|ax)imum value is.*:UserWarning")
@pytest.mark.parametrize("world", OWN_WORLDS)
def test_gymnasiums_own_checker_passes(world: str) -> None:
    env = gymnasium.make(f"{world}-v0")
    check_env(env.unwrapped)
    env.close()


@pytest.mark.filterwarnings("ignore:.*Box observation space m(in|ax)imum value is.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*Not able to test alternative render modes.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version.*:UserWarning")
@pytest.mark.parametrize("world", ["so101/reach", *LIVES_BY_NAME])
def test_gymnasiums_own_checker_passes_by_name(world: str) -> None:
    env = robot_agent_sim.make(world, streams=("camera", "proprio"), camera_size=(8, 8), camera_backend="raycast")
    check_env(env)
    env.close()


@pytest.mark.parametrize("world", ALL)
def test_a_world_by_its_name_has_the_streams_that_were_asked_for(world: str) -> None:
    for streams in (("proprio",), ("camera",), ("camera", "proprio")):
        if streams == ("proprio",) and world in NEED_EYES:
            continue
        env = robot_agent_sim.make(world, streams=streams, camera_size=(12, 16), camera_backend="raycast")
        observation, _ = env.reset(seed=0)
        assert {name.partition("/")[0] for name in observation} - {"achieved_goal", "desired_goal"} == set(streams)
        assert env.observation_space.contains(observation)
        assert "[-1, 1]" in env.metadata["action_meaning"]
        env.close()


@pytest.mark.parametrize("world", NEED_EYES)
def test_a_world_that_only_the_camera_explains_is_not_built_without_it(world: str) -> None:
    with pytest.raises(ValueError, match=f"only the camera shows what shall be done in {world}: ask for the streams"):
        robot_agent_sim.make(world, streams=("proprio",))
    env = robot_agent_sim.make(world, camera_size=(8, 8), camera_backend="raycast")
    assert {name.partition("/")[0] for name in env.observation_space} == {"camera", "proprio"}  # type: ignore[attr-defined]
    if world in SHARED_WORLDS:
        with pytest.raises(ValueError, match="only the camera shows what shall be done"):
            robot_agent_sim.make_parallel(world, streams=("proprio",))


@pytest.mark.parametrize("world", ALL)
def test_bad_input_of_every_kind_is_refused_clipped_or_counted(world: str) -> None:
    env = robot_agent_sim.make(world, streams=("camera", "proprio"), camera_size=(8, 8), camera_backend="raycast")
    env.reset(seed=0)
    (width,) = env.action_space.shape
    for wrong in (np.zeros(width + 1), np.zeros((1, width)), 0.0):
        with pytest.raises(ValueError, match=rf"the action has shape .*, expected \({width},\)"):
            env.step(wrong)
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match=r"expected finite numbers in \[-1, 1\]"):
            env.step(np.full(width, value))
    states = []
    for value in (7.0, 1.0):
        env.reset(seed=0)
        told = env.step(np.full(width, value))[4]
        assert told["clipped_actions"] == (env.metadata["frames_per_step"] if value > 1 else 0)
        states.append(told["state"])
    assert np.array_equal(*states), "clipped is as if the bound had been asked for"
    env.step(np.full(width, 7.0))
    assert env.reset(seed=0)[1]["clipped_actions"] == 0
    with pytest.raises(ValueError, match="expected none: this world has none"):
        env.reset(options={"speed": 3})
    for options, complaint in (
        ({"streams": ("smell",)}, "streams is"),
        ({"streams": ()}, "streams is"),
        ({"camera_size": (0, 8)}, "camera_size is"),
        ({"action_repeat": 0}, "action_repeat is 0, expected at least 1"),
        ({"camera_backend": "eye"}, "unknown camera backend 'eye'"),
    ):
        with pytest.raises(ValueError, match=complaint):
            robot_agent_sim.make(world, **options)
    with pytest.raises(TypeError, match="colour"):
        robot_agent_sim.make(world, colour="red")


@pytest.mark.parametrize("world", ALL)
def test_the_same_seed_is_the_same_life_to_the_bit_whatever_came_before(world: str) -> None:
    fresh, lived = (robot_agent_sim.make(world, streams=("camera", "proprio"), camera_size=(16, 16)) for _ in range(2))
    if world.startswith("life/"):  # where a life stands is no leak: both stand in the same place
        for env in (fresh, lived):
            env.get_wrapper_attr("begin")(0, 100)
    wander(lived, 30, seed=1)
    if world.startswith("life/"):
        lived.get_wrapper_attr("begin")(0, 100)
    assert lived_alike(fresh, lived, 205) >= 2
    other = fresh.reset(seed=4)[1]["state"]
    assert not np.array_equal(other, lived.reset(seed=5)[1]["state"])
    for env in (fresh, lived):
        env.close()


@pytest.mark.parametrize("world", ALL)
def test_random_actions_never_lead_out_of_the_finite(world: str) -> None:
    wander(blind(world), 1500, seed=0)


@pytest.mark.long
@pytest.mark.parametrize("world", ALL)
def test_ten_thousand_steps_are_the_same_to_the_bit(world: str) -> None:
    fresh, lived = (robot_agent_sim.make(world, streams=("camera", "proprio"), camera_size=(32, 32)) for _ in range(2))
    wander(lived, 500, seed=1)
    if world.startswith("life/"):
        lived.unwrapped.life_steps = 0
    assert lived_alike(fresh, lived, 10_000) >= 50
    for env in (fresh, lived):
        env.close()


@pytest.mark.long
@pytest.mark.parametrize("arena", ARENAS)
def test_ten_thousand_steps_of_an_arena_are_the_same_to_the_bit(arena: str) -> None:
    worlds = [ARENAS[arena](camera_size=(32, 32)) for _ in range(2)]
    rng = np.random.default_rng(0)
    for step in range(10_000):
        if step % 200 == 0:
            starts = [world.reset(seed=step)[0] for world in worlds]
            for agent in worlds[0].agents:
                same(*(start[agent] for start in starts), step)
        actions = {agent: rng.uniform(-1, 1, 2) for agent in worlds[0].agents}
        told = [world.step(actions) for world in worlds]
        assert told[0][1:4] == told[1][1:4]
        for agent in actions:
            same(*(one[0][agent] for one in told), step)
            assert np.array_equal(*(one[4][agent]["state"] for one in told))


@pytest.mark.long
def test_ten_thousand_steps_of_a_batch_are_those_of_single_arms() -> None:
    batch = ArmBatch(ReachEnv(streams=("proprio",)), 4, threads=2)
    singles = [ReachEnv(streams=("proprio",)) for _ in range(4)]
    rng = np.random.default_rng(0)
    over = np.ones(4, bool)
    together: dict[str, np.ndarray] = {}
    for step in range(2_500):
        if over.all():
            seed = 1000 + step if step else 7
            together, _ = batch.reset(seed=seed)
            alone = [single.reset(seed=seed + arm)[0] for arm, single in enumerate(singles)]
        for name, values in together.items():
            assert all(np.array_equal(values[arm], alone[arm][name]) for arm in range(4)), (name, step)
        actions = rng.uniform(-1.2, 1.2, (4, 6)).astype(np.float32)
        together, rewards, _, over, _ = batch.step(actions)
        results = [single.step(actions[arm]) for arm, single in enumerate(singles)]
        alone = [result[0] for result in results]
        assert rewards.tolist() == [result[1] for result in results]


@pytest.mark.long
@pytest.mark.parametrize("world", ALL)
def test_ten_million_physics_steps_over_all_worlds_stay_finite_and_the_process_does_not_grow(world: str) -> None:
    env = blind(world)
    physics_steps = 20 if "rover" in world or "arena" in world else 10
    decisions = 10_000_000 // len(ALL) // physics_steps
    wander(env, decisions // 20, seed=0)  # what is allocated once is allocated by now
    before = resident_bytes()
    wander(env, decisions, seed=1)
    assert resident_bytes() - before < 8e6
