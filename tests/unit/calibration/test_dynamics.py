"""System identification: the simulation keeps time, the fit finds what is there, and it says what it cannot know."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest
from robot_agent_calibration.dynamics.calibrate import Config, body_parameters, calibrate
from robot_agent_calibration.dynamics.evidence import run_of
from robot_agent_calibration.dynamics.excitation import BOX, Limits, clearance, fourier, information
from robot_agent_calibration.dynamics.fit import Fit, _covariance, fit
from robot_agent_calibration.dynamics.motion import Run, arm_model, held, predict
from robot_agent_calibration.dynamics.problem import Problem, Weights
from robot_agent_calibration.dynamics.simulated import Sensing, drawn_body, simulated
from robot_agent_calibration.dynamics.unknowns import DELAY, DELAY_PRIOR, LINKS, Unknowns
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.recording.recording import Recording, Samples
from robot_agent_sim.calibration import merge_sections
from robot_agent_sim.calibration.body import read_body
from robot_agent_sim.so101.arm import HOME, JOINTS, arm_spec
from robot_agent_sim.so101.calibrated import calibrated_spec

COARSE = 0.004
"""s; half the time of the real thing."""


def motion(seconds: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return fourier(seconds, 50.0, np.random.default_rng(seed))


def recorded(run: Run, **changes: object) -> Recording:
    parts = {
        "joints": Samples(JOINTS, run.stamps, run.positions),
        "commands": Samples(JOINTS, run.command_stamps, run.commands),
    }
    return Recording(**{"path": Path("somewhere"), **parts, **changes})


@pytest.fixture(scope="module")
def truth() -> tuple[Unknowns, np.ndarray, Run]:
    """An arm of other numbers, and 6 s of its encoders."""
    rng = np.random.default_rng(3)
    unknowns = Unknowns(arm_model(COARSE))
    z = drawn_body(unknowns, rng)
    return unknowns, z, simulated(unknowns, z, *motion(6.0), rng)


@pytest.fixture(scope="module")
def found(truth: tuple[Unknowns, np.ndarray, Run]) -> Fit:
    return fit([truth[2]], timestep=COARSE)


# ---- time ----


def test_commands_hold_until_the_next_and_arrive_late() -> None:
    stamps, commands = np.array([1.0, 1.02, 1.04]), np.array([[1.0], [2.0], [4.0]])
    run = Run(np.array([1.0]), np.array([[0.0]]), stamps, commands)
    told = held(run, 1.0, 40, 0.002, delay=0.01)[:, 0]
    times = 1.0 + 0.002 * np.arange(40)  # the middle of what each step averages
    wanted = np.select([times < 1.01 - 1e-9, times < 1.03 - 1e-9, times < 1.05 - 1e-9], [0.0, 1.0, 2.0], 4.0)
    edges = np.isin(np.arange(40), [5, 15, 25])
    assert np.allclose(told[~edges], wanted[~edges])
    assert np.allclose(told[edges], [0.5, 1.5, 3.0]), "a step that a command falls into is told the mean"


def test_a_finer_simulation_moves_at_the_same_time() -> None:
    """The motion of coarse steps is not early by half of them: that would be found again as delay."""
    stamps, commands = motion(4.0)
    still = np.tile(np.array(HOME), (len(stamps), 1))
    run = Run(stamps + 0.003, still, stamps, commands)
    fine, coarse = (predict(run, [arm_model(step)], [0.02])[0][0] for step in (0.0005, 0.004))
    speed = np.gradient(fine, stamps, axis=0)
    late = float(np.sum((fine - coarse) * speed) / np.sum(speed**2))
    assert abs(late) < 7e-4, "half a step is 2 ms"
    assert np.rad2deg(np.abs(fine - coarse).max()) < 0.3


@pytest.mark.parametrize(("delay", "tolerance"), [(0.0, 1e-9), (0.03, 0.2)])
def test_mujoco_step_by_step_moves_as_predicted(delay: float, tolerance: float) -> None:
    """The same to the last bit, but for MuJoCo's own delay: it is a step longer for some commands than for others."""
    spec = arm_spec()
    for actuator in spec.actuators:
        actuator.delay = delay
    model = spec.compile()
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_CONTACT)
    stamps, commands = motion(3.0)
    data = mujoco.MjData(model)
    data.qpos[:] = commands[0]
    for motor, position in enumerate(commands[0]):
        mujoco.mj_initCtrlHistory(model, data, motor, None, np.full((36, 1), position))
    seen = [commands[0]]
    for command in commands[:-1]:
        data.ctrl[:] = command
        mujoco.mj_step(model, data, 10)
        seen.append(data.qpos.copy())
    run = Run(stamps, np.array(seen), stamps, commands)
    # MuJoCo applies a command in the whole step that begins with it, half a step before a leapfrog would.
    predicted = predict(run, [arm_model()], [delay - 0.001])[0][0]
    assert np.rad2deg(np.abs(predicted - run.positions).max()) < tolerance


# ---- numbers ----


def test_numbers_mean_what_the_model_gets() -> None:
    unknowns = Unknowns(arm_model())
    z = np.random.default_rng(0).standard_normal(unknowns.size)
    model, values = unknowns.build(z), dict(zip(unknowns.paths, unknowns.values(z), strict=True))
    for at, joint in enumerate(JOINTS):
        assert np.isclose(model.actuator_gainprm[at, 0], values[f"joints.{joint}.stiffness"])
        assert np.isclose(model.dof_frictionloss[at], values[f"joints.{joint}.friction"])
        assert np.isclose(model.actuator_forcerange[at, 1], values[f"joints.{joint}.stall_torque"])
        ratio = values[f"joints.{joint}.damping"] / values[f"joints.{joint}.stiffness"]
        assert np.isclose(ratio, values[f"ratios.{joint}.damping"])
    for link in LINKS:
        assert np.isclose(model.body(link).mass[0], values[f"masses.{link}"])
    assert np.isclose(unknowns.build(np.zeros(unknowns.size)).body_mass, unknowns.model.body_mass).all()


def test_all_forces_scaled_by_two_give_the_same_motion() -> None:
    unknowns = Unknowns(arm_model())
    one, two = unknowns.build(np.zeros(unknowns.size)), arm_model()
    for name in ("actuator_gainprm", "dof_frictionloss", "dof_damping", "dof_armature", "body_mass", "body_inertia"):
        getattr(two, name)[:] *= 2
    two.actuator_biasprm[:] *= 2
    two.actuator_forcerange[:] *= 2
    mujoco.mj_setConst(two, mujoco.MjData(two))
    stamps, commands = motion(4.0)
    run = Run(stamps, np.tile(commands[0], (len(stamps), 1)), stamps, commands)
    positions = predict(run, [one, two], [0.02, 0.02])[0]
    assert np.rad2deg(np.abs(positions[0] - positions[1]).max()) < 0.01


def test_the_quick_jacobian_is_the_whole_one_where_joints_answer_for_themselves() -> None:
    stamps, commands = motion(4.0)
    unknowns = Unknowns(arm_model(COARSE))
    run = simulated(unknowns, np.zeros(unknowns.size), stamps, commands, np.random.default_rng(0))
    problem, weights = Problem([run], timestep=COARSE), Weights.coarse(len(JOINTS))
    z = 0.3 * np.random.default_rng(1).standard_normal(unknowns.size)
    whole, quick = problem.jacobian(z, weights), problem.quick_jacobian(z, weights)
    servo = [
        at for at, name in enumerate(unknowns.names) if name.endswith(("stiffness", "friction", "damping", "armature"))
    ]
    for at in servo:
        likeness = whole[:, at] @ quick[:, at] / (np.linalg.norm(whole[:, at]) * np.linalg.norm(quick[:, at]))
        assert likeness > 0.85, unknowns.names[at]


# ---- the fit ----


def test_the_fit_finds_the_ratios_and_the_delay(truth: tuple[Unknowns, np.ndarray, Run], found: Fit) -> None:
    unknowns, z, _ = truth
    errors = dict(zip(unknowns.paths, np.abs(unknowns.matrix @ (found.z - z)), strict=True))
    for what, most in (("damping", 0.02), ("armature", 0.02), ("friction", 0.15)):
        assert np.median([errors[f"ratios.{joint}.{what}"] for joint in JOINTS]) < most, what
    assert abs(found.unknowns.delay(found.z) - unknowns.delay(z)) < 5e-4
    assert np.rad2deg(found.noise).max() < 0.25


def test_most_intervals_hold_the_truth(truth: tuple[Unknowns, np.ndarray, Run], found: Fit) -> None:
    apart = np.abs(found.z - truth[1]) / np.sqrt(np.diag(found.covariance))
    assert np.mean(apart < 1.96) > 0.8
    assert np.all(apart < 5)


def test_what_the_data_do_not_tell_is_said(found: Fit) -> None:
    body = body_parameters(found)
    assert body.scale == "assumed"
    assert "masses.shoulder" in body.undetermined, "it turns about the vertical, and weighs on nothing"
    assert not any(path.startswith("ratios") and path.endswith("damping") for path in body.undetermined)
    low, high = body.command_delay.interval_95
    assert 0 <= low < body.command_delay.value < high


def test_a_joint_that_stands_still_tells_nothing_of_itself() -> None:
    stamps, commands = motion(4.0)
    commands[:, 4] = HOME[4]
    unknowns = Unknowns(arm_model(COARSE))
    run = simulated(unknowns, np.zeros(unknowns.size), stamps, commands, np.random.default_rng(0))
    found = fit([run], timestep=COARSE, start=np.zeros(unknowns.size))
    body = body_parameters(found)
    assert "joints.wrist_roll.stall_torque" in body.undetermined
    assert "ratios.wrist_roll.friction" in body.undetermined
    assert "ratios.elbow_flex.damping" not in body.undetermined
    assert np.isclose(body.joints["wrist_roll"]["armature"].value, 0.025, rtol=0.3), "nothing is invented"


@pytest.mark.parametrize("scale", ["effort", "payload", "stiffness"])
def test_what_fixes_the_scale_makes_absolute_values_known(scale: str) -> None:
    """With and without it, how far all forces together may still be off."""
    stamps, commands = motion(5.0)
    sensing = Sensing(effort_noise=0.02 if scale == "effort" else None)
    unknowns = Unknowns(arm_model(COARSE), scale)
    rng, zero = np.random.default_rng(0), np.zeros(unknowns.size)
    runs = [simulated(unknowns, zero, stamps, commands, rng, sensing)]
    if scale == "payload":
        heavy = Unknowns(arm_model(COARSE, 0.2), scale)
        runs.insert(0, simulated(heavy, zero, stamps, commands, rng, sensing, payload=0.2))
    problem = Problem(runs, scale, COARSE)
    weights = Weights(np.full(6, 1 / np.deg2rad(0.05)), np.full(6, 1 / 0.02))
    jacobian = problem.jacobian(zero, weights)
    covariance = np.linalg.inv(jacobian.T @ jacobian + np.eye(unknowns.size))
    at = unknowns.names.index("scale")
    assert np.sqrt(covariance[at, at]) < (0.1 if scale == "stiffness" else 0.08)
    if scale == "payload":
        empty = Problem(runs[1:], scale, COARSE)
        jacobian = empty.jacobian(zero, weights)
        covariance = np.linalg.inv(jacobian.T @ jacobian + np.eye(unknowns.size))
        assert np.sqrt(covariance[at, at]) > 0.2, "an empty gripper leaves it open"


def test_a_calibration_is_written_read_and_moves_the_simulated_arm_alike(
    truth: tuple[Unknowns, np.ndarray, Run], found: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robot_agent_calibration.dynamics.calibrate.fit", lambda *_, **__: found)
    outcome = calibrate(recorded(truth[2]), Config())
    assert any("scale of forces: assumed" in line for line in outcome.lines)
    assert outcome.page.startswith("<!doctype html>")
    assert "What is left" in outcome.page
    merge_sections(tmp_path / "calibration.yaml", outcome.sections)
    model = calibrated_spec(read_body(tmp_path / "calibration.yaml")).compile()
    values = dict(zip(found.unknowns.paths, found.unknowns.values(found.z), strict=True))
    assert np.allclose(model.dof_armature, [values[f"joints.{joint}.armature"] for joint in JOINTS], rtol=1e-4)
    assert np.allclose(model.dof_damping, [values[f"joints.{joint}.damping"] for joint in JOINTS], rtol=1e-4)
    assert np.isclose(model.body("gripper").mass[0], values["masses.gripper"], rtol=1e-4)


# ---- bad input ----


def bad(run: Run, **changes: object) -> Recording:
    return recorded(replace(run, **changes))


def test_recordings_that_cannot_be_used_are_refused_in_a_sentence(truth: tuple[Unknowns, np.ndarray, Run]) -> None:
    run = truth[2]
    still, mixed, other = run.positions.copy(), run.positions.copy(), ("a", *JOINTS[1:])
    still[:, 2] = 0.5
    mixed[:, [0, 1]] = mixed[:, [1, 0]]
    for recording, complaint in (
        (recorded(run, joints=None), "has no joint states"),
        (recorded(run, commands=None), "has no commands"),
        (
            bad(run, stamps=run.stamps[:100], positions=run.positions[:100]),
            "2.0 s of joint states, expected at least 3 s",
        ),
        (
            bad(run, stamps=run.stamps[::5], positions=run.positions[::5]),
            "10.0 joint states a second, expected at least 15",
        ),
        (bad(run, command_stamps=run.command_stamps + 100), "expected stamps of one clock"),
        (bad(run, positions=still), "elbow_flex hardly moved"),
        (bad(run, positions=mixed), "shoulder_pan does not follow its commands"),
        (recorded(run, joints=Samples(other, run.stamps, run.positions)), "have no 'shoulder_pan', only a, "),
    ):
        with pytest.raises(CalibrationError, match=complaint) as caught:
            run_of(recording)
        assert "\n" not in str(caught.value)


def test_efforts_of_another_unit_are_refused_and_what_is_known_goes_before_them(
    truth: tuple[Unknowns, np.ndarray, Run], found: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = truth[2]
    felt = np.sin(run.stamps[:, None] + np.arange(6))
    for scale, complaint in ((1000.0, "efforts in somewhere are up to 1e+03"), (0.0, "are the same throughout")):
        recording = recorded(run, efforts=Samples(JOINTS, run.stamps, scale * felt))
        with pytest.raises(CalibrationError, match=re.escape(complaint)):
            run_of(recording)
        assert run_of(recording, use_efforts=False).efforts is None
    asked: list[tuple[bool, str]] = []

    def noted(runs: list[Run], scale: str, *_: object, **__: object) -> Fit:
        asked.append((runs[0].efforts is not None, scale))
        return found

    monkeypatch.setattr("robot_agent_calibration.dynamics.calibrate.fit", noted)
    for config in (Config(), Config(known="masses")):
        calibrate(recorded(run, efforts=Samples(JOINTS, run.stamps, felt)), config)
    assert asked == [(True, "effort"), (False, "masses")]


def test_options_that_cannot_be_are_refused(truth: tuple[Unknowns, np.ndarray, Run]) -> None:
    for config, complaint in ((Config(payload=-1), "--payload is -1"), (Config(timestep=1.0), "--timestep is 1")):
        with pytest.raises(CalibrationError, match=complaint):
            calibrate(recorded(truth[2]), config)


# ---- excitation ----


def test_motions_begin_and_end_at_home_and_keep_their_limits() -> None:
    for seed in range(10):
        stamps, commands = motion(8.0, seed)
        assert np.allclose(commands[[0, -1]], HOME, atol=0.01)
        assert np.abs(np.diff(commands, axis=0)).max() * 50 <= 3.0 + 1e-6
        assert np.all(commands >= np.minimum(BOX[:, 0], HOME) - 1e-9)
        assert np.all(commands <= np.maximum(BOX[:, 1], HOME) + 1e-9)
        assert len(stamps) == 400


def test_a_motion_into_the_table_is_seen() -> None:
    stamps = np.arange(100) / 50
    down = np.tile(np.array([0.0, 1.2, 0.3, 0.9, 0.0, 0.6]), (100, 1))
    assert clearance(arm_model(), stamps, down)[0] < 0
    up = np.tile(np.array(HOME), (100, 1))
    assert min(clearance(arm_model(), stamps, up)) > 0.02


def test_a_motion_of_more_frequencies_tells_more() -> None:
    rich, poor = (fourier(6.0, 50.0, np.random.default_rng(0), Limits(bandwidth=bandwidth)) for bandwidth in (4.0, 0.4))
    assert information(*rich) > information(*poor) + 20


def test_the_delay_is_what_its_number_says() -> None:
    unknowns = Unknowns(arm_model())
    assert unknowns.delay(np.zeros(unknowns.size)) == DELAY
    assert np.isclose(unknowns.delay(np.ones(unknowns.size)), DELAY + DELAY_PRIOR)


def test_errors_that_stay_alike_for_a_while_are_not_taken_for_as_many_as_there_are_samples() -> None:
    rng = np.random.default_rng(0)
    samples, joints, entries, alike = 300, 3, 20, 12
    phases = rng.uniform(0, 2 * np.pi, (joints, entries))
    slow = np.sin(np.arange(samples)[:, None, None] * rng.uniform(0.02, 0.2, entries) + phases)
    jacobian = 3 * slow.reshape(samples * joints, entries)
    found, said = [], {alike: [], 1: []}
    solve = np.linalg.inv(jacobian.T @ jacobian + np.eye(entries)) @ jacobian.T
    for _ in range(150):
        errors = np.repeat(rng.standard_normal((samples // alike, joints)), alike, axis=0)
        found.append(-solve @ errors.ravel())
        left = errors + (jacobian @ found[-1]).reshape(samples, joints)
        for length, variances in said.items():
            variances.append(np.diag(_covariance(left, jacobian, np.arange(samples) // length)))
    true = np.std(found, axis=0)
    inside = {length: np.mean(np.abs(found) < 1.96 * np.sqrt(variances)) for length, variances in said.items()}
    assert 0.93 < inside[alike] < 0.995
    assert inside[1] < 0.75
    assert np.median(np.sqrt(np.mean(said[alike], axis=0)) / true) == pytest.approx(1.1, abs=0.2)


def test_positions_and_efforts_of_one_moment_are_one_stretch() -> None:
    unknowns = Unknowns(arm_model(0.004), "effort")
    rng = np.random.default_rng(0)
    sensing = Sensing(effort_noise=0.02)
    runs = [simulated(unknowns, np.zeros(unknowns.size), *fourier(4.0, 50.0, rng), rng, sensing) for _ in range(2)]
    problem = Problem(runs, "effort", 0.004)
    rows = problem.rows(np.zeros((1, unknowns.size)), Weights.coarse(problem.joints))[0]
    stretches = problem.stretches(0.3)
    assert len(stretches) == len(rows)
    first, second = np.split(stretches, 2)
    assert not set(first) & set(second)
    for own in (first, second):
        positions, efforts = np.split(own, 2)
        np.testing.assert_array_equal(positions, efforts)
        assert np.all(np.bincount(positions - positions[0])[1:-1] == pytest.approx(15, abs=2))


@pytest.mark.long
def test_efforts_make_a_long_run_tell_absolute_values_and_lead_no_search_astray() -> None:
    rng = np.random.default_rng(0)
    truth = Unknowns(arm_model(0.0005), "effort")
    z = drawn_body(truth, rng)
    run = simulated(truth, z, *fourier(20.0, 50.0, rng), rng, Sensing(effort_noise=0.02))
    found = fit([run], "effort")
    errors = np.abs(found.unknowns.matrix @ (found.z - z))
    for kind in ("stiffness", "friction", "damping", "armature"):
        own = [error for path, error in zip(found.unknowns.paths, errors, strict=True) if path.endswith(f".{kind}")]
        assert np.median(own) < 0.05, kind
