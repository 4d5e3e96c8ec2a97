"""A body moves, sags, slips and sees differently in a world that has changed, as a real one would."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest
from robot_agent_sim.drift.change import Change
from robot_agent_sim.drift.drift import Drift
from robot_agent_sim.mujoco_env import MujocoEnv
from robot_agent_sim.rover.tasks import RoverGoalEnv
from robot_agent_sim.so101.tasks import PushCubeEnv, ReachEnv

from tests.unit.sim.drifting import BLIND, lived


def states(env: gymnasium.Env[Any, Any], actions: np.ndarray) -> np.ndarray:
    return np.array([step["info"]["state"] for step in lived(env, actions)])


def test_a_weaker_arm_follows_its_commands_worse() -> None:
    wave = np.repeat(np.sin(np.arange(150) / 15)[:, None], 6, axis=1)

    def error(gain: float) -> np.ndarray:
        told = lived(Drift(ReachEnv(**BLIND), [Change("gain", gain)]), wave)
        readings, _, commands = np.split(np.array([step["proprio"] for step in told]), 3, axis=1)
        return np.abs(readings - commands).mean(axis=0)

    assert np.all(error(0.5) > 1.3 * error(1.0))


def test_a_stuck_joint_stays_while_the_others_move() -> None:
    told = states(Drift(ReachEnv(**BLIND), [Change("stuck", 1.0, "elbow_flex")]), np.ones((50, 6)))
    moved = np.abs(told[-1] - told[0])[:6]
    assert moved[2] < 0.02
    assert np.all(np.delete(moved, 2) > 0.3)


def test_more_payload_makes_the_arm_sag_more() -> None:
    def height(payload: float) -> float:
        env = ReachEnv(**BLIND)
        lived(Drift(env, [Change("payload", payload, "gripper")]), np.zeros((100, 6)))
        return float(env.data.site("tip").xpos[2])

    heights = [height(payload) for payload in (0.0, 0.1, 0.2, 0.3)]
    assert all(lower < higher - 0.002 for higher, lower in pairwise(heights)), heights


def test_a_command_delay_moves_nothing_for_as_long_and_then_as_before() -> None:
    actions = np.ones((6, 6))
    told, idle, prompt = (
        states(Drift(ReachEnv(**BLIND), [Change("command_delay", delay)]), action * actions)
        for delay, action in ((0.04, 1), (0.04, 0), (0.0, 1))
    )
    assert np.array_equal(told[:3], idle[:3])
    assert np.all(np.abs(told[3] - idle[3])[:6] > 1e-3)
    assert np.all(np.abs(told[1:] - prompt[1:])[:, :6].max(axis=1) > 1e-3)


def test_more_damping_friction_and_mass_make_a_body_gather_speed_slower() -> None:
    def turned(what: str, value: float, target: str) -> float:
        told = states(Drift(ReachEnv(**BLIND), [Change(what, value, target)]), np.ones((4, 6)))
        return float(told[-1][0] - told[0][0])

    for what, more, target in (
        ("damping", 3.0, "shoulder_pan"),
        ("dry_friction", 20.0, "shoulder_pan"),
        ("mass", 3.0, "gripper"),
    ):
        assert turned(what, more, target) < 0.95 * turned(what, 1.0, target)


def test_on_ice_the_wheels_turn_and_the_rover_stays_behind() -> None:
    def driven(friction: float) -> tuple[float, float]:
        """m that the rover moved, and m that its wheels rolled."""
        env = RoverGoalEnv(**BLIND)
        drift = Drift(env, [Change("friction", friction)])
        drift.reset(seed=0)
        env.rover.place(env.data, np.array([-1.0, 0.0]), 0.0)
        mujoco.mj_forward(env.model, env.data)
        rolled = sum(float(drift.step(np.ones(2))[0]["proprio"][:2].mean()) * 0.1 * 0.04 for _ in range(6))
        return float(env.rover.position(env.data)[0] + 1.0), rolled

    moved, rolled = driven(1.0)
    assert moved > 0.9 * rolled
    moved_on_ice, rolled_on_ice = driven(0.05)
    assert moved_on_ice < 0.5 * moved
    assert rolled_on_ice > rolled


def test_on_a_steep_tilt_a_cube_slides_down() -> None:
    def slid(tilt: float) -> np.ndarray:
        env = PushCubeEnv(**BLIND)
        drift = Drift(env, [Change("tilt", tilt)])
        drift.reset(seed=0)
        start = env.data.joint("cube").qpos[:2].copy()
        for _ in range(15):
            drift.step(np.zeros(6))
        return env.data.joint("cube").qpos[:2] - start

    assert np.linalg.norm(slid(20.0)) < 0.01, "friction holds it"
    x, y = slid(60.0)
    assert abs(x) > 0.05
    assert abs(y) < 0.5 * abs(x)


@pytest.mark.parametrize("backend", ["gl", "raycast"])
@pytest.mark.parametrize("world", [ReachEnv, RoverGoalEnv])
def test_a_camera_that_is_open_shows_changes_as_they_come_and_go(world: type[MujocoEnv], backend: str) -> None:
    camera = "camera/overhead" if world is ReachEnv else "camera/front"

    def pictures(*changes: Change) -> np.ndarray:
        env = Drift(world(camera_backend=backend, camera_size=(24, 32)), changes)
        told = np.array([step[camera] for step in lived(env, np.zeros((5, *env.action_space.shape)))], float)
        env.close()
        return told

    def times(what: str, to: float) -> Change:
        return Change(what, to, at=2, until=4)

    made = pictures()
    dark, turned, shifted, coloured = (
        pictures(change)
        for change in (times("light", 0.4), times("camera_roll", 15), times("camera_shift", 0.1), times("hue", 90))
    )
    for changed in (dark, turned, shifted, coloured):
        differs = np.abs(changed - made).mean(axis=(1, 2, 3)) > 1
        assert differs.tolist() == [False, False, False, True, True, False]
    assert dark[3].mean() < 0.6 * made[3].mean()
    assert np.abs(coloured[3].max(axis=-1) - made[3].max(axis=-1)).mean() < 3, "as bright, in other colours"


@pytest.mark.parametrize("backend", ["gl", "raycast"])
def test_distractors_are_seen_and_touched_by_nothing(backend: str) -> None:
    def life(count: float) -> tuple[np.ndarray, np.ndarray]:
        env = Drift(PushCubeEnv(camera_backend=backend), [Change("distractors", count)])
        told = lived(env, np.random.default_rng(0).uniform(-1, 1, (20, 6)))
        env.close()
        return told[0]["camera/overhead"].astype(int), np.array([step["info"]["state"] for step in told])

    (bare, alone), (one, among_one), (four, among_four) = (life(count) for count in (0, 1, 4))
    assert np.array_equal(alone, among_one)
    assert np.array_equal(alone, among_four)
    differs, more = ((np.abs(picture - bare).max(axis=-1) > 20).sum() for picture in (one, four))
    assert 5 < differs < more < 1500, "pixels of 4096"
