"""The SO-101 acts as it is told or says why not, and its tasks are what they promise."""

from __future__ import annotations

import re

import mujoco
import numpy as np
import pytest
from robot_agent_sim.so101.arm import HOME, JOINTS
from robot_agent_sim.so101.tasks import ArmEnv, LiftCubeEnv, PushCubeEnv, ReachBySightEnv, ReachEnv

BLIND = {"streams": ("proprio",)}
TASKS = (ReachEnv, ReachBySightEnv, PushCubeEnv, LiftCubeEnv)


def put_cube(env: ArmEnv, position: np.ndarray) -> None:
    env.data.joint("cube").qpos[:] = (*position, 1, 0, 0, 0)
    env.data.joint("cube").qvel[:] = 0


# ---- acting ----


def test_a_full_action_moves_the_command_by_3_rad_a_second_within_the_joints_ranges() -> None:
    env = ReachEnv(**BLIND)
    env.reset(seed=0)
    low, high = np.array([env.model.joint(name).range for name in JOINTS]).T
    before = env.data.ctrl.copy()
    env.step(np.array([1, -1, 0.5, 0, 1, -1]))
    assert np.allclose(env.data.ctrl - before, 0.06 * np.array([1, -1, 0.5, 0, 1, -1]))
    for _ in range(120):
        env.step(np.ones(6))
    assert np.allclose(env.data.ctrl, high)
    for _ in range(120):
        env.step(-np.ones(6))
    assert np.allclose(env.data.ctrl, low)


def test_actions_beyond_1_are_clipped_and_counted_for_the_episode() -> None:
    beyond, within = ReachEnv(**BLIND), ReachEnv(**BLIND)
    counts = [beyond.reset(seed=0)[1]["clipped_actions"]]
    within.reset(seed=0)
    for action in ([2, 0, 0, 0, 0, -7], [1, -1, 1, -1, 1, -1], [0, 0, 1.5, 0, 0, 0]):
        _, _, _, _, info = beyond.step(np.array(action, np.float32))
        same = within.step(np.clip(action, -1, 1).astype(np.float32))[4]
        assert np.array_equal(info["state"], same["state"])
        counts.append(info["clipped_actions"])
    assert counts == [0, 1, 1, 2]
    assert beyond.reset()[1]["clipped_actions"] == 0


@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        (np.array([0, 0, np.nan, 0, 0, 0]), "finite numbers"),
        (np.array([0, 0, np.inf, 0, 0, 0]), "finite numbers"),
        (np.zeros(5), r"shape \(5,\), expected \(6,\)"),
        (np.zeros((1, 6)), r"shape \(1, 6\), expected \(6,\)"),
    ],
)
def test_a_broken_action_is_refused_and_moves_nothing(action: np.ndarray, complaint: str) -> None:
    env = ReachEnv(**BLIND)
    before = env.reset(seed=0)[1]["state"]
    with pytest.raises(ValueError, match=complaint):
        env.step(action)
    assert np.array_equal(np.concatenate((env.data.qpos, env.data.qvel)), before)
    assert env.step(np.zeros(6))[4]["clipped_actions"] == 0


def test_options_and_arguments_that_there_are_not_are_refused() -> None:
    with pytest.raises(ValueError, match=r"options are .*'easy'.*, expected none"):
        ReachEnv(**BLIND).reset(seed=0, options={"easy": True})
    with pytest.raises(ValueError, match="reward is 'shaped', expected dense or sparse"):
        ReachEnv(reward="shaped", **BLIND)
    with pytest.raises(ValueError, match="streams is"):
        ReachEnv(streams=("touch",))
    with pytest.raises(ValueError, match="render_mode is 'human', expected rgb_array"):
        ReachEnv(render_mode="human", **BLIND)


@pytest.mark.parametrize("control_dt", [0.02, 0.04, 1 / 30])
def test_a_step_lasts_as_long_as_the_metadata_says(control_dt: float) -> None:
    env = ReachEnv(control_dt=control_dt, **BLIND)
    env.reset(seed=0)
    for _ in range(30):
        env.step(np.zeros(6))
    assert env.data.time == pytest.approx(30 * env.metadata["control_dt"], rel=1e-3)


# ---- the tasks ----


@pytest.mark.parametrize("task", TASKS)
def test_episodes_begin_bent_over_the_table_and_end_by_truncation(task: type[ArmEnv]) -> None:
    env = task(episode_steps=7, **BLIND)
    for seed in range(20):
        env.reset(seed=seed)
        assert np.abs(env.data.qpos[:6] - HOME).max() <= 0.05
        touching = {env.model.geom(geom).name for pair in env.data.contact.geom for geom in pair}
        assert touching <= {"cube", "table"}, "nothing begins in collision"
    ends = [env.step(np.zeros(6))[2:4] for _ in range(7)]
    assert ends == [(False, False)] * 6 + [(False, True)]


def inverse_kinematics(env: ReachEnv, rng: np.random.Generator) -> np.ndarray:
    """Positions of the first four joints that put the tip at the goal with nothing touching."""
    model, data = env.model, mujoco.MjData(env.model)
    low, high = model.actuator_ctrlrange[:4].T
    jacobian = np.zeros((3, model.nv))
    for _ in range(100):
        position = rng.uniform(low, high)
        for _ in range(60):
            data.qpos[:] = (*position, *HOME[4:])
            mujoco.mj_forward(model, data)
            missing = env.goal - data.site("tip").xpos
            if np.linalg.norm(missing) < 0.003 and not data.ncon:
                return position
            mujoco.mj_jacSite(model, data, jacobian, None, model.site("tip").id)
            arm = jacobian[:, :4]
            position += arm.T @ np.linalg.solve(arm @ arm.T + 1e-4 * np.eye(3), missing)
            position = np.clip(position, low, high)
    raise AssertionError(f"the goal {env.goal} cannot be reached")


def test_goals_of_reach_lie_in_their_box_and_the_arm_gets_there_in_an_episode() -> None:
    env, rng = ReachEnv(**BLIND), np.random.default_rng(0)
    jacobian, goals = np.zeros((3, env.model.nv)), []
    for seed in range(25):
        observation, _ = env.reset(seed=seed)
        goals.append(observation["desired_goal"])
        position, correction = inverse_kinematics(env, rng), np.zeros(4)
        truncated = success = False
        while not (truncated or success):
            missing = env.goal - env.data.site("tip").xpos
            if env.steps > 60:  # gravity bends the arm: command above the goal until the tip is at it
                mujoco.mj_jacSite(env.model, env.data, jacobian, None, env.model.site("tip").id)
                arm = jacobian[:, :4]
                correction += 0.05 * arm.T @ np.linalg.solve(arm @ arm.T + 1e-3 * np.eye(3), missing)
            action = np.zeros(6)
            action[:4] = np.clip((position + correction - env.data.ctrl[:4]) / 0.06, -1, 1)
            _, _, _, truncated, info = env.step(action)
            success = info["success"]
        assert success, f"seed {seed}"
    assert np.all(goals >= np.array([0.10, -0.25, 0.03], np.float32))
    assert np.all(goals <= np.array([0.38, 0.25, 0.32], np.float32))
    assert np.all(np.std(goals, axis=0) > 0.05), "they fill the box"


def test_rewards_are_what_the_docstring_says() -> None:
    goal = np.array([0.2, 0.0, 0.1])
    achieved = goal + np.array([[0, 0, 0], [0.0199, 0, 0], [0, 0.0201, 0], [0, 0, 0.1], [50, 0, 0]])
    there = np.array([1, 1, 0, 0, 0])
    near = np.array([1, 1 / (1 + 0.199**2), 1 / (1 + 0.201**2), 0.5, 0])
    dense, sparse = (ReachEnv(reward=reward, **BLIND).compute_reward for reward in ("dense", "sparse"))
    assert np.allclose(dense(achieved, goal, {}), 0.5 * there + 0.5 * near, atol=1e-5)
    assert np.array_equal(sparse(achieved, goal, {}), there)


@pytest.mark.parametrize("reward", ["dense", "sparse"])
@pytest.mark.parametrize("task", [ReachEnv, PushCubeEnv, LiftCubeEnv])
def test_compute_reward_of_a_batch_is_what_the_steps_gave(task: type[ArmEnv], reward: str) -> None:
    env = task(reward=reward, **BLIND)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    achieved, desired, rewards = [], [], []
    for step in range(60):
        if task is not ReachEnv and step % 2:  # a random arm leaves the cube alone, and every reward would be the same
            put_cube(env, env.goal + rng.uniform(-0.05, 0.05, 3))
        observation, given, *_ = env.step(rng.uniform(-1, 1, 6))
        achieved.append(observation["achieved_goal"])
        desired.append(observation["desired_goal"])
        rewards.append(given)
    batch = env.compute_reward(np.reshape(achieved, (6, 10, 3)), np.reshape(desired, (6, 10, 3)), None)
    assert batch.shape == (6, 10)
    assert batch.dtype == np.float32
    assert np.allclose(batch.ravel(), rewards, atol=1e-5)
    assert task is ReachEnv or len(set(rewards)) > 1


@pytest.mark.parametrize("task", [PushCubeEnv, LiftCubeEnv])
def test_cubes_and_their_goals_are_drawn_where_the_task_says(task: type[PushCubeEnv]) -> None:
    env = task(**BLIND)
    for seed in range(100):
        observation, info = env.reset(seed=seed)
        cube, goal = observation["achieved_goal"], observation["desired_goal"]
        assert np.isclose(cube[2], env.side / 2)
        assert 0.17 <= np.hypot(*cube[:2]) <= 0.30
        if task is PushCubeEnv:
            assert 0.08 <= np.linalg.norm(goal - cube) <= 0.2
            assert 0.17 <= np.hypot(*goal[:2]) <= 0.30
        else:
            assert np.allclose(goal - cube, (0, 0, 0.05))
        assert not info["success"]


def test_a_push_succeeds_within_3_cm_of_the_place() -> None:
    env = PushCubeEnv(**BLIND)
    for seed in range(10):
        env.reset(seed=seed)
        outwards = env.goal * (1, 1, 0) / np.hypot(*env.goal[:2])
        for away, expected in ((0.0, True), (0.028, True), (0.032, False)):
            put_cube(env, env.goal + away * outwards)
            observation, reward, _, _, info = env.step(np.zeros(6))
            assert np.isclose(np.linalg.norm(observation["achieved_goal"] - env.goal), away, atol=1e-3)
            assert info["success"] == expected
            assert (reward > 0.9) == expected


def test_a_lift_succeeds_at_5_cm_wherever_the_cube_hangs() -> None:
    env = LiftCubeEnv(**BLIND)
    env.model.opt.gravity[:] = 0  # what is put in the air stays there
    for height, expected in ((0.0, False), (0.048, False), (0.052, True), (0.1, True)):
        env.reset(seed=1)
        start = env.data.body("cube").xpos.copy()
        put_cube(env, start + np.array([0.02, 0.02, height]))
        _, reward, _, _, info = env.step(np.zeros(6))
        assert info["success"] == expected
        missing = max(0.05 - height, 0) / 0.03
        assert reward == pytest.approx(0.5 * expected + 0.5 / (1 + missing**2), abs=0.01)


def test_by_sight_only_the_camera_tells_where_the_marker_is() -> None:
    env = ReachBySightEnv(camera_backend="raycast")
    seen = [env.reset(seed=seed)[0] for seed in range(3)]
    assert set(seen[0]) == {"camera/overhead", "proprio"}
    env.reset(seed=0)
    pictures = []
    for goal in ((0.2, 0.15, 0.05), (0.2, -0.15, 0.05)):
        env.data.mocap_pos[0] = goal
        mujoco.mj_forward(env.model, env.data)
        picture = env.image("overhead", (64, 64)).astype(int)
        red = (picture[..., 0] - picture[..., 2] > 60) & (picture[..., 0] - picture[..., 1] > 60)
        assert 3 < red.sum() < 60
        pictures.append(np.argwhere(red).mean(axis=0))
    assert abs(pictures[0][1] - pictures[1][1]) > 10, "pixels"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"cameras": "overhead"}, "cameras is 'overhead', expected names in a tuple"),
        ({"cameras": ("front",)}, "there is no camera 'front', expected some of overhead, wrist"),
        ({"camera_backend": "rays"}, "unknown camera backend 'rays', expected one of auto, gl, raycast"),
        ({"control_dt": 0.0}, "control_dt is 0.0 s"),
        ({"episode_steps": -1}, "episode_steps -1, expected positive numbers"),
    ],
)
def test_a_view_that_there_is_not_is_refused_when_the_world_is_built(options: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        ReachEnv(**options)


def test_a_size_may_be_a_list() -> None:
    env = ReachEnv(camera_size=[12, 16], camera_backend="raycast")
    assert env.reset(seed=0)[0]["camera/overhead"].shape == (12, 16, 3)
