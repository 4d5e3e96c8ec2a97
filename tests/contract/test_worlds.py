"""What every world promises, whoever made it: the flat form, [-1, 1], repeatable episodes, frames that add up."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import robot_agent_sim
from gymnasium.utils.env_checker import check_env

WORLDS = ("dmc/cartpole-swingup", "dmc/walker-walk", "gym/Pendulum-v1", "gym/HalfCheetah-v5")
ONE_OF_EACH_BODY = (
    "dmc/acrobot-swingup",
    "dmc/ball_in_cup-catch",
    "dmc/cartpole-three_poles",
    "dmc/cheetah-run",
    "dmc/finger-turn_hard",
    "dmc/fish-swim",
    "dmc/hopper-hop",
    "dmc/humanoid-run_pure_state",
    "dmc/humanoid_CMU-stand",
    "dmc/lqr-lqr_6_2",
    "dmc/manipulator-insert_peg",
    "dmc/pendulum-swingup",
    "dmc/point_mass-hard",
    "dmc/quadruped-escape",
    "dmc/reacher-hard",
    "dmc/stacker-stack_2",
    "dmc/swimmer-swimmer15",
    "dmc/walker-run",
)
ALL_OF_THE_SUITE = tuple(world.name for world in robot_agent_sim.list_worlds() if world.name.startswith("dmc/"))


def keeps_its_promises(env: gymnasium.Env, steps: int = 3) -> None:
    action_space = env.action_space
    assert isinstance(action_space, gymnasium.spaces.Box)
    assert action_space.dtype == np.float32
    assert len(action_space.shape) == 1
    assert np.all(action_space.low == -1)
    assert np.all(action_space.high == 1)
    assert env.metadata["control_dt"] > 0
    assert env.metadata["frames_per_step"] >= 1
    assert "[-1, 1]" in env.metadata["action_meaning"]
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert observation["proprio"].dtype == np.float32
    action_space.seed(0)
    for _ in range(steps):
        observation, reward, terminated, truncated, info = env.step(action_space.sample())
        assert env.observation_space.contains(observation)
        assert np.all(np.isfinite(observation["proprio"]))
        assert type(reward) is float
        assert np.isfinite(reward)
        assert (type(terminated), type(truncated)) == (bool, bool)
        assert info["frames"] == env.metadata["frames_per_step"]
        assert info["clipped_actions"] == 0
    env.close()


@pytest.mark.parametrize("world", [*ONE_OF_EACH_BODY, "gym/Pendulum-v1", "gym/HalfCheetah-v5"])
def test_a_world_keeps_its_promises(world: str) -> None:
    keeps_its_promises(robot_agent_sim.make(world))


@pytest.mark.long
@pytest.mark.parametrize("world", ALL_OF_THE_SUITE)
def test_every_task_of_the_suite_keeps_its_promises(world: str) -> None:
    keeps_its_promises(robot_agent_sim.make(world), steps=20)


@pytest.mark.filterwarnings("ignore:.*Box observation space m(in|ax)imum value is.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*No render fps was declared.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*Not able to test alternative render modes.*:UserWarning")
@pytest.mark.parametrize("streams", [("proprio",), ("camera",), ("camera", "proprio")])
def test_gymnasiums_own_checker_passes(streams: tuple[str, ...]) -> None:
    env = robot_agent_sim.make("dmc/cartpole-swingup", streams=streams)
    check_env(env)
    env.close()


@pytest.mark.parametrize("world", WORLDS)
def test_the_same_seed_is_the_same_episode_whatever_came_before(world: str) -> None:
    def episode(env: gymnasium.Env, seed: int) -> list[np.ndarray]:
        observation, info = env.reset(seed=seed)
        told = [observation["proprio"], info.get("state", np.zeros(0))]
        rng = np.random.default_rng(7)
        for _ in range(20):
            observation, reward, _, _, info = env.step(rng.uniform(-1, 1, env.action_space.shape))
            told += [observation["proprio"], np.array(reward), info.get("state", np.zeros(0))]
        return told

    fresh, lived = robot_agent_sim.make(world), robot_agent_sim.make(world, seed=5)
    episode(lived, 1)
    first, again, other = episode(fresh, 3), episode(lived, 3), episode(lived, 4)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_the_seed_of_make_fixes_the_sequence_of_unseeded_episodes() -> None:
    def starts(seed: int) -> list[np.ndarray]:
        env = robot_agent_sim.make("dmc/cartpole-swingup", seed=seed)
        return [env.reset()[1]["state"] for _ in range(3)]

    one, same, other = starts(1), starts(1), starts(2)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one[0], one[1])


@pytest.mark.parametrize("backend", ["gl", "raycast"])
def test_pixels_repeat_and_show_what_moves(backend: str) -> None:
    def images(steps: int) -> tuple[np.ndarray, np.ndarray]:
        env = robot_agent_sim.make("dmc/cartpole-swingup", streams=("camera",), camera_backend=backend)
        first, _ = env.reset(seed=0)
        for _ in range(steps):
            last = env.step(np.ones(1, np.float32))[0]
        env.close()
        return first["camera/main"], last["camera/main"]

    first, last = images(40)
    again = images(40)
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again[0])
    assert np.array_equal(last, again[1])
    moved = np.abs(first.astype(int) - last.astype(int)).max(axis=2) > 30
    assert 10 < moved.sum() < 1000, "the cart and its pole moved, the world around them did not"
