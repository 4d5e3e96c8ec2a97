"""What the worlds that are made here promise: gymnasium's form, the same life from the same seed, finite numbers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import robot_agent_sim
from gymnasium.utils.env_checker import check_env
from robot_agent_sim.worlds import OWN_WORLDS


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
    """Random actions, and nothing but finite numbers comes of them."""
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        observation, reward, terminated, truncated, info = env.step(rng.uniform(-1, 1, env.action_space.shape))
        assert np.isfinite(reward)
        assert np.all(np.isfinite(info["state"]))
        assert all(np.all(np.isfinite(part)) for part in observation.values())
        if terminated or truncated:
            env.reset()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# Positions and speeds have no bounds; that is all that it may mind.
@pytest.mark.filterwarnings("ignore:.*Box observation space m(in|ax)imum value is.*:UserWarning")
@pytest.mark.parametrize("world", OWN_WORLDS)
def test_gymnasiums_own_checker_passes(world: str) -> None:
    env = gymnasium.make(f"{world}-v0")
    check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize("world", OWN_WORLDS)
def test_a_world_by_its_name_has_the_streams_that_were_asked_for(world: str) -> None:
    for streams in (("proprio",), ("camera",), ("camera", "proprio")):
        env = robot_agent_sim.make(world, streams=streams, camera_size=(12, 16))
        observation, _ = env.reset(seed=0)
        assert {name.partition("/")[0] for name in observation} - {"achieved_goal", "desired_goal"} == set(streams)
        assert env.observation_space.contains(observation)
        assert "[-1, 1]" in env.metadata["action_meaning"]
        env.close()


@pytest.mark.parametrize("world", OWN_WORLDS)
def test_the_same_seed_is_the_same_life_to_the_bit_whatever_came_before(world: str) -> None:
    fresh, lived = (robot_agent_sim.make(world, streams=("camera", "proprio"), camera_size=(32, 32)) for _ in range(2))
    wander(lived, 30, seed=1)
    assert lived_alike(fresh, lived, 200) >= 2
    other = fresh.reset(seed=4)[1]["state"]
    assert not np.array_equal(other, lived.reset(seed=5)[1]["state"])
    for env in (fresh, lived):
        env.close()


@pytest.mark.parametrize("world", OWN_WORLDS)
def test_random_actions_never_lead_out_of_the_finite(world: str) -> None:
    wander(robot_agent_sim.make(world, action_repeat=1), 3000, seed=0)


@pytest.mark.long
@pytest.mark.parametrize("world", OWN_WORLDS)
def test_ten_thousand_steps_are_the_same_to_the_bit(world: str) -> None:
    fresh, lived = (robot_agent_sim.make(world, streams=("camera", "proprio"), camera_size=(32, 32)) for _ in range(2))
    wander(lived, 500, seed=1)
    assert lived_alike(fresh, lived, 10_000) >= 67
    for env in (fresh, lived):
        env.close()


@pytest.mark.long
@pytest.mark.parametrize("world", OWN_WORLDS)
def test_ten_million_physics_steps_over_all_worlds_stay_finite_and_the_process_does_not_grow(world: str) -> None:
    env = robot_agent_sim.make(world, action_repeat=1)
    decisions = 10_000_000 // len(OWN_WORLDS) // env.unwrapped.physics_steps
    wander(env, decisions // 20, seed=0)  # what is allocated once is allocated by now
    before = resident_bytes()
    wander(env, decisions, seed=1)
    assert resident_bytes() - before < 8e6
