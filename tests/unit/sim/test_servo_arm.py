"""The simplest body: it goes where it is told, its goals can be reached, and its reward says how near it is."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from robot_agent_sim.servo_arm.reach import JOINTS, ServoArmReachEnv


@pytest.fixture
def env() -> ServoArmReachEnv:
    env = ServoArmReachEnv(streams=("proprio",))
    env.reset(seed=0)
    return env


def toward_goal(env: ServoArmReachEnv) -> np.ndarray:
    """The action that goes down the distance, by the arm's Jacobian."""
    jacobian = np.zeros((3, 3))
    mujoco.mj_jacSite(env.model, env.data, jacobian, None, env.model.site("tip").id)
    error = env.goal - env.data.site("tip").xpos
    change = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + 1e-3 * np.eye(3), error)
    return np.clip(0.5 * change / 0.1, -1, 1).astype(np.float32)


def test_its_joints_are_those_of_its_model(env: ServoArmReachEnv):
    assert tuple(env.model.joint(index).name for index in range(env.model.njnt)) == JOINTS
    assert tuple(env.model.actuator(index).name for index in range(env.model.nu)) == JOINTS


def test_an_action_moves_what_is_commanded_and_the_servos_follow(env: ServoArmReachEnv):
    before = env.data.ctrl.copy()
    observation, *_ = env.step(np.array([1, -0.5, 0], np.float32))
    np.testing.assert_allclose(env.data.ctrl - before, [0.1, -0.05, 0], atol=1e-7)
    np.testing.assert_allclose(observation["proprio"][6:], env.data.ctrl, atol=1e-6)
    for _ in range(60):
        observation, *_ = env.step(np.zeros(3, np.float32))
    np.testing.assert_allclose(observation["proprio"][:3], env.data.ctrl, atol=0.06)  # a servo hangs a little
    np.testing.assert_allclose(observation["proprio"][3:6], 0, atol=1e-3)


def test_commands_end_at_the_ranges_of_the_joints(env: ServoArmReachEnv):
    for _ in range(60):
        env.step(np.ones(3, np.float32))
    np.testing.assert_allclose(env.data.ctrl, env.model.actuator_ctrlrange[:, 1])


def test_velocity_is_the_change_of_position(env: ServoArmReachEnv):
    before = env._proprio()
    after, *_ = env.step(np.ones(3, np.float32))
    np.testing.assert_allclose(after["proprio"][3:6] / 30, after["proprio"][:3] - before[:3], atol=1e-5)


def test_who_goes_down_the_distance_arrives_wherever_the_ball_hangs(env: ServoArmReachEnv):
    arrived = 0
    for seed in range(20):
        env.reset(seed=seed)
        for _ in range(60):
            *_, info = env.step(toward_goal(env))
        arrived += info["success"]
    assert arrived == 20


def test_the_reward_of_goals_is_that_of_the_steps(env: ServoArmReachEnv):
    achieved, desired, rewards = [], [], []
    for _ in range(60):
        observation, reward, _, truncated, info = env.step(toward_goal(env))
        achieved.append(observation["achieved_goal"])
        desired.append(observation["desired_goal"])
        rewards.append(reward)
        assert (reward > 0.5 + 0.5 / (1 + 0.31**2)) == info["success"]
    assert truncated
    np.testing.assert_allclose(env.compute_reward(np.array(achieved), np.array(desired), {}), rewards, atol=1e-4)


def test_a_new_goal_leaves_the_arm_alone(env: ServoArmReachEnv):
    env.step(np.ones(3, np.float32))
    mujoco.mj_kinematics(env.model, env.data)  # what a step leaves is of the moment before its last integration
    state, tip, goal = env._state(), env.data.site("tip").xpos.copy(), env.goal
    env.new_goal(np.random.default_rng(1))
    np.testing.assert_array_equal(env._state(), state)
    np.testing.assert_allclose(env.data.site("tip").xpos, tip)
    assert np.linalg.norm(env.goal - goal) > 0.01
    np.testing.assert_array_equal(env.data.mocap_pos[0], env.goal)
