"""A calibration file says what a body is: it is read whole or refused in a sentence, and the world obeys it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest
import robot_agent_sim
from robot_agent_sim.calibration import CalibrationFileError, Estimate, merge_sections
from robot_agent_sim.calibration.body import QUANTITIES, BodyParameters, read_body
from robot_agent_sim.drift.calibrated import earliest, uncertainty
from robot_agent_sim.drift.drift import Drift
from robot_agent_sim.so101.arm import JOINTS, Servo, arm_spec
from robot_agent_sim.so101.calibrated import calibrated_spec
from robot_agent_sim.so101.tasks import ReachEnv
from scipy.spatial.transform import Rotation


def known(what: str, value: float, error: float = 0.0, **interval: tuple[float, float]) -> Estimate:
    return Estimate(value, error, QUANTITIES.get(what, what), **interval)


ELBOW = {
    "stiffness": known("stiffness", 15.0, 0.3),
    "friction": known("friction", 0.1, 0.005, interval_95=(0.09, 0.112)),
    "damping": known("damping", 0.7, 0.02),
    "armature": known("armature", 0.03, 0.002),
    "stall_torque": known("stall_torque", 3.2, 0.1),
}
BODY = BodyParameters(
    scale="masses",
    joints={"elbow_flex": ELBOW},
    ratios={"elbow_flex": {"friction": known("rad", 0.1 / 15, 0.0003)}},
    masses={"lower_arm": known("kg", 0.12, 0.01)},
    command_delay=known("s", 0.02, 0.001),
    payload=known("kg", 0.1),
    undetermined=("masses.lower_arm",),
)


def written(path: Path, body: BodyParameters = BODY, **changes: object) -> Path:
    merge_sections(path, {"camera": {"anything": 1}, "dynamics": {**body.to_yaml(), **changes}})
    return path


def number(value: float, unit: str, low: float | None = None) -> dict:
    low = value if low is None else low
    return {"value": value, "standard_error": 0.0, "interval_95": [low, max(low, value)], "unit": unit}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    body = read_body(written(tmp_path / "calibration.yaml"))
    assert body.to_yaml() == BODY.to_yaml()
    assert body.joints["elbow_flex"]["friction"].interval_95 == (0.09, 0.112)
    assert body.undetermined == ("masses.lower_arm",)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"scale": "guessed"}, "scale is 'guessed', expected one of assumed, effort, stiffness, masses, payload"),
        ({"gravity": 9.8}, "has 'gravity', expected some of robot"),
        ({"joints": [1]}, r"joints is \[1\], expected a mapping"),
        ({"joints": {"elbow_flex": {"colour": {}}}}, "joints.elbow_flex has 'colour', expected some of stiffness"),
        ({"joints": {"elbow_flex": {"stiffness": number(0, "N·m/rad")}}}, "stiffness is 0, expected more than 0"),
        ({"joints": {"elbow_flex": {"friction": number(-1, "N·m")}}}, "friction is -1, expected at least 0"),
        ({"command_delay": number(float("nan"), "s")}, "command_delay: an estimate is .*, expected"),
        ({"command_delay": number(20, "ms")}, "command_delay is in ms, expected s"),
        ({"command_delay": number(0.1, "s", low=0.2)}, "command_delay is 0.1, outside of its own interval"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(tmp_path: Path, changes: dict, complaint: str) -> None:
    with pytest.raises(CalibrationFileError, match=f"^dynamics in .*{complaint}") as caught:
        read_body(written(tmp_path / "c.yaml", **changes))
    assert "\n" not in str(caught.value)


def test_a_file_without_a_body_is_refused(tmp_path: Path) -> None:
    merge_sections(tmp_path / "c.yaml", {"camera": {"anything": 1}})
    with pytest.raises(
        CalibrationFileError,
        match="has no section 'dynamics', none 'joints' and none 'hand_eye': robot-agent calibrate",
    ):
        read_body(tmp_path / "c.yaml")


def test_the_model_has_what_was_measured_and_the_rest_is_as_it_was() -> None:
    model, nominal = calibrated_spec(BODY).compile(), arm_spec().compile()
    elbow = JOINTS.index("elbow_flex")
    assert np.isclose(model.actuator_gainprm[elbow, 0], 15.0)
    assert np.isclose(model.dof_frictionloss[elbow], 0.1)
    assert np.isclose(model.dof_damping[elbow], 0.7)
    assert np.isclose(model.dof_armature[elbow], 0.03)
    others = np.arange(6) != elbow
    assert np.array_equal(model.dof_frictionloss[others], nominal.dof_frictionloss[others])
    assert np.allclose(model.actuator_delay, 0.02)
    link, before = model.body("lower_arm"), nominal.body("lower_arm")
    assert np.isclose(link.mass[0], 0.12)
    assert np.allclose(link.inertia, before.inertia * 0.12 / before.mass[0])
    assert np.isclose(model.body("payload").mass[0], 0.1)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    assert np.allclose(data.body("payload").xpos, data.site("tip").xpos), "held between the jaws"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (replace(BODY, robot="panda"), "of 'panda', expected so101"),
        (replace(BODY, joints={"knee": {}}), "a joint 'knee', expected some of shoulder_pan"),
        (replace(BODY, masses={"foot": known("kg", 1.0)}), "a link 'foot', expected some of base"),
        (
            replace(BODY, command_delay=known("s", 0.2)),
            "calibration of shoulder_pan cannot be: delay of a servo is 0.2",
        ),
    ],
)
def test_what_an_so101_is_not_is_refused(body: BodyParameters, complaint: str) -> None:
    with pytest.raises(CalibrationFileError, match=complaint):
        calibrated_spec(body)


def lived(env) -> list[np.ndarray]:
    observation, _ = env.reset(seed=0)
    rng, seen = np.random.default_rng(0), [observation["proprio"]]
    for _ in range(30):
        seen.append(env.step(rng.uniform(-1, 1, 6).astype(np.float32))[0]["proprio"])
    return seen


def test_a_file_that_says_nothing_changes_no_bit_and_one_that_says_something_does(tmp_path: Path) -> None:
    nothing = written(tmp_path / "nothing.yaml", BodyParameters())
    plain = lived(robot_agent_sim.make("so101/reach"))
    assert np.array_equal(plain, lived(robot_agent_sim.make("so101/reach", body=nothing)))
    changed = lived(robot_agent_sim.make("so101/reach", body=written(tmp_path / "c.yaml")))
    assert np.abs(np.array(changed) - np.array(plain)).max() > 0.01


def test_an_encoder_that_is_off_moves_readings_and_commands_alike() -> None:
    offset = {"elbow_flex": {"encoder_offset": known("encoder_offset", 0.05)}}
    exact, off = (ReachEnv(body=BodyParameters(joints=joints), streams=("proprio",)) for joints in ({}, offset))
    elbow = JOINTS.index("elbow_flex")
    exact.reset(seed=0), off.reset(seed=0)
    for action in np.random.default_rng(0).uniform(-1, 1, (20, 6)):
        difference = off.step(action)[0]["proprio"] - exact.step(action)[0]["proprio"]
        assert abs(difference[elbow] + 0.05) < 0.001, "it reads 0 where the joint is at 0.05"
        assert abs(difference[12 + elbow] + 0.05) < 1e-6
    assert np.array_equal(exact.data.qpos, off.data.qpos), "the arm itself moves as before"


def test_what_joints_found_of_the_encoders_is_what_the_arm_feels(tmp_path: Path) -> None:
    offset, ratio = 0.03, 1.01
    own = {
        "offset": Estimate(offset, 1e-3, "rad").to_yaml(),
        "ratio": Estimate(ratio, 1e-4, "1").to_yaml(),
        "backlash": Estimate(0.017, 1e-3, "rad").to_yaml(),
    }
    joints = {"meaning": "angle = ratio * recorded + offset", "elbow_flex": own, "undetermined": ["wrist_roll.offset"]}
    for sections in ({"joints": joints}, {"joints": joints, "dynamics": BODY.to_yaml()}):
        merge_sections(tmp_path / "c.yaml", sections)
        body = read_body(tmp_path / "c.yaml")
        env = ReachEnv(body=body, streams=("proprio",))
        assert env.model.joint("elbow_flex_backlash").range == pytest.approx([-0.0085, 0.0085])
        elbow = JOINTS.index("elbow_flex")
        before = env.reset(seed=0)[0]["proprio"]
        after = env.step(np.full(6, 0.5))[0]["proprio"]
        angle = env.data.joint("elbow_flex").qpos[0]
        assert abs(ratio * after[elbow] + offset - angle) < 0.6 * Servo().encoder_step
        assert after[12 + elbow] - before[12 + elbow] == pytest.approx(0.03, abs=1e-5), "a command is of what is read"
    assert body.joints["elbow_flex"]["stiffness"] == ELBOW["stiffness"], "dynamics stay beside it"
    merge_sections(tmp_path / "c.yaml", {"joints": {"elbow_flex": {"offset": number(1.0, "degrees")}}})
    with pytest.raises(CalibrationFileError, match=r"^joints in .*encoder_offset is in degrees, expected rad"):
        read_body(tmp_path / "c.yaml")


def hand_eye(parent: str, position: tuple[float, ...], xyzw: tuple[float, ...]) -> dict:
    place = {axis: number(value, "m") for axis, value in zip("xyz", position, strict=True)}
    return {"camera": {"parent_frame": parent, "translation": place, "rotation_xyzw": list(xyzw)}}


def test_a_camera_stands_and_opens_as_it_was_measured(tmp_path: Path) -> None:
    seen = {}
    nominal = ReachEnv(streams=("camera", "proprio"))
    camera = nominal.model.camera("overhead")
    optical = Rotation.from_quat(camera.quat, scalar_first=True) * Rotation.from_euler("x", np.pi)
    for name, moved, focal in (("same", 0.0, 240 / math.tan(math.radians(24))), ("elsewhere", 0.1, 300.0)):
        place = hand_eye("base", tuple(np.add(camera.pos, (0, moved, 0)).tolist()), optical.as_quat().tolist())
        lens = {"image_height": 480, "camera_matrix": {"data": [focal, 0, 320, 0, focal, 240, 0, 0, 1]}}
        path = tmp_path / f"{name}.yaml"
        merge_sections(path, {"hand_eye": place, "camera": lens})
        env = ReachEnv(body=read_body(path), streams=("camera", "proprio"))
        seen[name] = env.reset(seed=0)[0]["camera/overhead"].astype(int)
        assert env.model.camera("overhead").fovy[0] == pytest.approx(np.rad2deg(2 * np.arctan(240 / focal)))
    expected = nominal.reset(seed=0)[0]["camera/overhead"].astype(int)
    assert np.abs(seen["same"] - expected).max() <= 2
    assert np.abs(seen["elsewhere"] - expected).mean() > 5


def test_a_camera_on_the_hand_is_the_one_at_the_wrist(tmp_path: Path) -> None:
    merge_sections(tmp_path / "c.yaml", {"hand_eye": hand_eye("gripper", (0.01, 0.05, -0.02), (1, 0, 0, 0))})
    model = ReachEnv(body=read_body(tmp_path / "c.yaml"), streams=("proprio",)).model
    np.testing.assert_allclose(model.camera("wrist").pos, (0.01, 0.05, -0.02))
    np.testing.assert_allclose(np.abs(model.camera("wrist").quat), (1, 0, 0, 0), atol=1e-9)


@pytest.mark.parametrize(
    ("parent", "xyzw", "complaint"),
    [
        ("elbow", (0, 0, 0, 1), "a camera on 'elbow', expected one on base or gripper"),
        ("base", (0, 0, 0, 2), "hand_eye in .* expected a quaternion of length 1"),
    ],
)
def test_a_camera_that_cannot_be_is_refused(tmp_path: Path, parent: str, xyzw: tuple[int, ...], complaint: str) -> None:
    merge_sections(tmp_path / "c.yaml", {"hand_eye": hand_eye(parent, (0, 0, 0), xyzw)})
    with pytest.raises(CalibrationFileError, match=complaint):
        ReachEnv(body=read_body(tmp_path / "c.yaml"), streams=("proprio",))


@pytest.mark.parametrize("lens", [{}, {"image_height": 480}, {"image_height": 480, "camera_matrix": {"data": [0] * 9}}])
def test_a_lens_that_says_nothing_is_named_by_its_own_section(tmp_path: Path, lens: dict) -> None:
    merge_sections(tmp_path / "c.yaml", {"hand_eye": hand_eye("base", (0, 0, 0), (0, 0, 0, 1)), "camera": lens})
    with pytest.raises(CalibrationFileError, match="section camera beside it has no image_height and camera_matrix"):
        read_body(tmp_path / "c.yaml")


def test_randomisation_of_what_is_known_exactly_is_refused(tmp_path: Path) -> None:
    merge_sections(tmp_path / "c.yaml", {"hand_eye": hand_eye("base", (0.5, 0, 0.5), (1, 0, 0, 0))})
    with pytest.raises(CalibrationFileError, match="leaves nothing open"):
        robot_agent_sim.make("so101/reach", body=tmp_path / "c.yaml", randomise=True)


def test_randomisation_stays_in_the_intervals_and_fills_them(tmp_path: Path) -> None:
    env = robot_agent_sim.make("so101/reach", body=written(tmp_path / "c.yaml"), randomise=True, seed=0)
    model, elbow, drawn = env.unwrapped.model, JOINTS.index("elbow_flex"), []
    nominal = arm_spec().compile()
    for _ in range(200):
        env.reset()
        drawn.append(
            (
                model.dof_frictionloss[elbow] / model.actuator_gainprm[elbow, 0],
                model.dof_armature[elbow],
                model.body("lower_arm").mass[0],
                model.actuator_delay[0],
                model.actuator_forcerange[elbow, 1],
            )
        )
        assert model.dof_frictionloss[0] == nominal.dof_frictionloss[0], "what was not measured stays"
    intervals = (
        BODY.ratios["elbow_flex"]["friction"].interval_95,
        ELBOW["armature"].interval_95,
        BODY.masses["lower_arm"].interval_95,
        BODY.command_delay.interval_95,
        ELBOW["stall_torque"].interval_95,
    )
    for values, (low, high) in zip(np.array(drawn).T, intervals, strict=True):
        assert low - 1e-9 <= values.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < values.max() <= high + 1e-9


def test_randomising_what_is_exactly_known_draws_nothing() -> None:
    exact = BodyParameters(joints={"elbow_flex": {"friction": known("friction", 0.1)}})
    assert uncertainty(exact) == ()
    Drift(ReachEnv(body=earliest(exact), streams=("proprio",)), ranges=uncertainty(exact))


def test_a_body_where_there_can_be_none_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "c.yaml")
    with pytest.raises(ValueError, match="rover/goal cannot have a calibrated body"):
        robot_agent_sim.make("rover/goal", body=file)
    with pytest.raises(ValueError, match="give the body too"):
        robot_agent_sim.make("so101/reach", randomise=True)
    with pytest.raises(ValueError, match="leave one of them out"):
        ReachEnv(servo=Servo(), body=BODY)
