from __future__ import annotations

import numpy as np
import pytest
import robot_agent_sim
from robot_agent_sim.dm_control_env import DmControlEnv


def test_proprio_is_dm_controls_observation_in_its_order() -> None:
    env = DmControlEnv("walker", "walk")
    observation, _ = env.reset(seed=0)
    told = env._env.task.get_observation(env._physics)
    assert list(told) == ["orientations", "height", "velocity"]
    expected = np.concatenate([told["orientations"], [told["height"]], told["velocity"]]).astype(np.float32)
    assert np.array_equal(observation["proprio"], expected)


def test_state_is_the_simulators_own() -> None:
    env = robot_agent_sim.make("dmc/cartpole-swingup")
    env.reset(seed=0)
    state = env.step(np.ones(1))[4]["state"]
    data = env.unwrapped._physics.data
    assert state.dtype == np.float64
    assert np.array_equal(state, np.concatenate([data.qpos, data.qvel]))


def test_an_episode_is_a_thousand_frames_and_ends_by_truncation() -> None:
    env = robot_agent_sim.make("dmc/cartpole-swingup", action_repeat=3)
    env.reset(seed=0)
    frames = []
    terminated = truncated = False
    while not truncated:
        _, _, terminated, truncated, info = env.step(np.zeros(1))
        assert not terminated
        frames.append(info["frames"])
    assert sum(frames) == 1000
    assert frames[-1] == 1, "the last decision of an episode that 3 does not divide is shorter"


def test_repeating_an_action_sums_the_reward_of_its_frames() -> None:
    single = robot_agent_sim.make("dmc/walker-walk", action_repeat=1)
    double = robot_agent_sim.make("dmc/walker-walk")
    assert double.metadata["frames_per_step"] == 2
    assert double.metadata["control_dt"] == pytest.approx(2 * single.metadata["control_dt"])
    single.reset(seed=0)
    double.reset(seed=0)
    for _ in range(5):
        action = np.full(6, 0.3)
        first, second = single.step(action), single.step(action)
        summed = first[1] + second[1]
        _, reward, *_, info = double.step(action)
        assert reward == summed
    assert info["frames"] == 2
    assert np.array_equal(info["state"], second[4]["state"])
    assert summed > 0.1


def test_a_task_without_a_time_limit_gets_one_and_one_that_ends_terminates() -> None:
    env = DmControlEnv("lqr", "lqr_2_1")
    env.reset(seed=0)
    for frame in range(1, 1001):
        _, _, terminated, truncated, _ = env.step(np.zeros(1))
        assert not terminated
        assert truncated == (frame == 1000)
    env.reset(seed=0)
    with env._physics.reset_context():
        env._physics.data.qpos[:] = 0.0
        env._physics.data.qvel[:] = 0.0
    assert env.step(np.zeros(1))[2:4] == (True, False), "at rest at its goal the regulator's task is over"


def test_actions_reach_the_actuators_in_their_own_range() -> None:
    env = robot_agent_sim.make("dmc/quadruped-walk", action_repeat=1)
    env.reset(seed=0)
    limits = env.unwrapped._physics.model.actuator_ctrlrange
    assert not np.all(np.abs(limits) == 1), "a body whose limits are not already [-1, 1]"
    env.step(np.ones(12))
    assert np.allclose(env.unwrapped._physics.data.ctrl, limits[:, 1])
    env.step(-np.ones(12))
    assert np.allclose(env.unwrapped._physics.data.ctrl, limits[:, 0])


def test_the_meaning_of_an_action_is_told_in_units() -> None:
    assert "slide (-10 to 10 N)" in robot_agent_sim.make("dmc/cartpole-swingup").metadata["action_meaning"]
    assert "elbow (-2 to 2 N·m)" in robot_agent_sim.make("dmc/acrobot-swingup").metadata["action_meaning"]


def test_render_gives_a_frame_for_a_video() -> None:
    env = robot_agent_sim.make("dmc/cartpole-swingup")
    env.reset(seed=0)
    frame = env.render()
    env.close()
    assert env.render_mode == "rgb_array"
    assert frame.shape == (240, 320, 3)
    assert frame.std() > 5
