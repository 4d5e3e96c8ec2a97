"""What is observed late is what was there then: to the physics step in the worlds made here, to the frame in others."""

from __future__ import annotations

from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest
import robot_agent_sim
from robot_agent_sim.arena.games import PursuitEnv
from robot_agent_sim.drift.change import Change
from robot_agent_sim.drift.drift import Drift
from robot_agent_sim.drift.parallel import ParallelDrift
from robot_agent_sim.mujoco_env import MujocoEnv
from robot_agent_sim.rover.tasks import RoverGoalEnv
from robot_agent_sim.so101.tasks import ReachEnv

BLIND = {"streams": ("proprio",)}
SEEING = {"camera_size": (16, 16), "camera_backend": "raycast"}


def positions(world: MujocoEnv, delay: float, actions: np.ndarray) -> np.ndarray:
    """What the arm's encoders tell after each action, (steps, 6) rad."""
    env = Drift(world, [Change("sensor_delay", delay)])
    env.reset(seed=0)
    return np.array([env.step(action)[0]["proprio"][:6] for action in actions])


def every_physics_step(actions: np.ndarray) -> np.ndarray:
    """The arm's joints at each physics step of the same motion, (steps, physics steps of a frame, 6) rad."""
    env = ReachEnv(**BLIND)
    env.reset(seed=0)
    told = []
    for action in actions:
        env._act(np.float32(action))
        told.append([])
        for _ in range(env.physics_steps):
            mujoco.mj_step(env.model, env.data)
            told[-1].append(env.data.qpos[:6].copy())
    return np.array(told)


@pytest.mark.parametrize("physics_steps", [1, 7, 10, 13, 25])
def test_an_arms_encoders_are_late_to_the_physics_step(physics_steps: int) -> None:
    actions = np.random.default_rng(0).uniform(-1, 1, (12, 6)).astype(np.float32)
    truth = every_physics_step(actions).reshape(-1, 6)
    told = positions(ReachEnv(**BLIND), 0.002 * physics_steps, actions)
    step = 2 * np.pi / 4096
    for frame in range(3, 12):
        assert np.allclose(told[frame], truth[10 * (frame + 1) - 1 - physics_steps], atol=0.51 * step), frame


def test_without_a_delay_nothing_is_different() -> None:
    actions = np.random.default_rng(0).uniform(-1, 1, (20, 2)).astype(np.float32)
    plain, drifting = RoverGoalEnv(**SEEING), Drift(RoverGoalEnv(**SEEING), [Change("sensor_delay", 0.0)])
    for env in (plain, drifting):
        env.reset(seed=0)
    for action in actions:
        one, other = plain.step(action), drifting.step(action)
        assert all(one[0][name].tobytes() == other[0][name].tobytes() for name in one[0])


def test_speeds_of_late_wheels_are_speeds() -> None:
    """A reading in the middle of a frame is compared with the last reading, not with the frame's beginning."""
    told = []
    for delay in (0.0, 0.05):
        env = Drift(RoverGoalEnv(**BLIND), [Change("sensor_delay", delay)])
        env.reset(seed=0)
        told.append([env.step(np.full(2, 0.5))[0]["proprio"][:2] for _ in range(10)])
    steady = np.array(told)[:, 4:]
    assert np.all(steady[0] > 6)
    assert np.allclose(steady[0], steady[1], atol=0.1)


@pytest.mark.parametrize("world", [ReachEnv, RoverGoalEnv])
def test_pictures_are_late_to_the_physics_step(world: type[MujocoEnv]) -> None:
    """A delay of half a frame shows what a world with frames of half the length saw one frame ago."""
    env = world(**SEEING)
    dt, key = env.metadata["control_dt"], _camera(env)
    action = np.zeros(env.action_space.shape, np.float32)
    action[0] = 1.0
    late = Drift(env, [Change("sensor_delay", dt / 2)])
    fine = world(control_dt=dt / 2, **SEEING)
    late.reset(seed=1)
    fine.reset(seed=1)
    for frame in range(4):
        seen = late.step(action)[0][key]
        if world is ReachEnv:  # commands move in each frame, so the same motion is that of the frame's command
            fine.data.ctrl[:] = env.data.ctrl
            half, full = (_unmoved(fine)[key] for _ in range(2))
        else:
            half, full = (fine.step(action)[0][key] for _ in range(2))
        assert np.array_equal(seen, half), frame
        assert np.any(half != full)


def _camera(env: MujocoEnv) -> str:
    return next(name for name in env.observation_space if name.startswith("camera/"))


def _unmoved(env: MujocoEnv) -> dict[str, Any]:
    control = env.data.ctrl.copy()
    observation = env.step(np.zeros(6, np.float32))[0]
    assert np.array_equal(env.data.ctrl, control)
    return observation


def test_a_delay_that_grows_and_goes_shows_nothing_twice_out_of_order() -> None:
    env = Drift(ReachEnv(**BLIND), [Change("sensor_delay", 0.1, at=3, over=15, until=25)])
    env.reset(seed=0)
    # The command of each frame is part of what is felt: it only grows here, and never goes back.
    felt = [env.step(np.full(6, 0.1))[0]["proprio"][12] for _ in range(35)]
    assert np.all(np.diff(felt) >= 0)
    env.unwrapped.sensor_delay = 0.0
    assert felt[-1] == np.float32(env.unwrapped.data.ctrl[0])


def proprio(env: gymnasium.Env[Any, Any], actions: np.ndarray) -> list[np.ndarray]:
    told = [env.reset(seed=0)[0]]
    told += [env.step(action)[0] for action in actions]
    return told


@pytest.mark.parametrize(("world", "frame"), [("dmc/walker-walk", 0.025), ("gym/HalfCheetah-v5", 0.05)])
def test_an_action_repeat_does_not_coarsen_the_delay_of_other_peoples_worlds(world: str, frame: float) -> None:
    streams = ("camera", "proprio") if world.startswith("dmc") else ("proprio",)
    options = {"streams": streams, "camera_size": (8, 8), "camera_backend": "raycast"}
    single, double = (robot_agent_sim.make(world, action_repeat=n, **options) for n in (1, 2))
    late = Drift(double, [Change("sensor_delay", frame)])
    actions = np.random.default_rng(0).uniform(-1, 1, (5, *single.action_space.shape)).astype(np.float32)
    frames = proprio(single, np.repeat(actions, 2, axis=0))
    for decision, seen in enumerate(proprio(late, actions)):
        for name, part in seen.items():
            assert np.array_equal(part, frames[max(0, 2 * decision - 1)][name]), (decision, name)
    for env in (single, late):
        env.close()


def test_what_all_agents_of_an_arena_observe_is_late() -> None:
    late = ParallelDrift(PursuitEnv(**SEEING), [Change("sensor_delay", 0.2)])
    now = PursuitEnv(**SEEING)
    actions = {"chaser": np.array([1.0, 0.5]), "runner": np.array([0.2, 0.9])}
    told = [[env.reset(3)[0], *(env.step(actions)[0] for _ in range(6))] for env in (late, now)]
    for frame, seen in enumerate(told[0]):
        for agent in actions:
            for name, part in seen[agent].items():
                assert np.array_equal(part, told[1][max(0, frame - 2)][agent][name]), (frame, agent, name)
