"""A change does what it says, when it says, to nothing else, and can be taken back without a trace."""

from __future__ import annotations

from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest
import robot_agent_sim
from robot_agent_sim.drift.change import Change, Range
from robot_agent_sim.drift.drift import Drift
from robot_agent_sim.drift.effects import EFFECTS
from robot_agent_sim.so101.arm import Servo
from robot_agent_sim.so101.tasks import PushCubeEnv, ReachEnv

from tests.unit.sim.drifting import BLIND, everything, lived
from tests.worlds import PointMass

CHANGES = {
    "friction": Change("friction", 0.5, "cube"),
    "mass": Change("mass", 2.0, "cube"),
    "payload": Change("payload", 0.15, "gripper"),
    "gain": Change("gain", 0.5, "elbow_flex"),
    "torque": Change("torque", 0.05, "elbow_flex"),
    "stuck": Change("stuck", 1.0, "wrist_roll"),
    "damping": Change("damping", 3.0, "wrist_roll"),
    "dry_friction": Change("dry_friction", 3.0, "wrist_roll"),
    "armature": Change("armature", 2.0, "wrist_roll"),
    "tilt": Change("tilt", 10.0),
    "command_delay": Change("command_delay", 0.02, "elbow_flex"),
    "sensor_delay": Change("sensor_delay", 0.04),
    "camera_shift": Change("camera_shift", 0.05, "wrist"),
    "camera_roll": Change("camera_roll", 90.0, "wrist"),
    "light": Change("light", 0.5),
    "hue": Change("hue", 120.0),
    "distractors": Change("distractors", 2.0),
    "opponent": Change("opponent", 2.0),
}
"""One of each, of one thing where there is a choice."""
WRITTEN = {
    "friction": {"geom_friction"},
    "mass": {"body_mass", "body_inertia"},
    "payload": {"body_mass"},
    "gain": {"actuator_gainprm", "actuator_biasprm", "actuator_forcerange"},
    "torque": {"actuator_forcerange"},
    "stuck": {"dof_damping"},
    "damping": {"dof_damping"},
    "dry_friction": {"dof_frictionloss"},
    "armature": {"dof_armature"},
    "tilt": {"opt.gravity"},
    "command_delay": {"actuator_delay"},
    "sensor_delay": set(),
    "camera_shift": {"cam_pos"},
    "camera_roll": {"cam_quat"},
    "light": {"light_diffuse", "vis.headlight.diffuse", "vis.headlight.ambient"},
    "hue": {"geom_rgba"},
    "distractors": {"geom_rgba"},
    "opponent": set(),
}
"""What of the model each may differ in."""
DERIVED = {
    *("actuator_acc0", "body_invweight0", "body_subtreemass", "cam_poscom0", "dof_M0", "dof_invweight0"),
    *("light_poscom0", "tendon_invweight0", "stat.meaninertia", "stat.meanmass"),
    *("cam_pos0", "cam_mat0"),
}
"""What MuJoCo computes from masses and from where cameras are."""


class Littered(gymnasium.Env[Any, Any]):
    """A world with four things that distract, all of them unseen as it is made."""

    def __init__(self) -> None:
        spec = mujoco.MjSpec()
        for index in range(4):
            body = spec.worldbody.add_body(name=f"distractor_{index}")
            body.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=(0.02, 0, 0), rgba=(1, 0, 0, 0))
        spec.worldbody.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=(1, 1, 1))
        self.model = spec.compile()


def world_of(what: str) -> gymnasium.Env[Any, Any]:
    if what == "opponent":
        return robot_agent_sim.make("arena/pursuit")
    return Littered() if what == "distractors" else PushCubeEnv(**BLIND)


def differing(model: mujoco.MjModel, made: dict[str, np.ndarray]) -> set[str]:
    return {name for name, value in everything(model).items() if not np.array_equal(value, made[name])}


# ---- what is written ----


def test_every_effect_is_tested_here() -> None:
    of_commands = {"reversed", "permuted"}  # see test_changed_commands.py
    assert set(CHANGES) == set(WRITTEN) == set(EFFECTS) - of_commands


@pytest.mark.parametrize("what", CHANGES)
def test_an_effect_changes_what_it_says_and_nothing_else_and_can_be_undone(what: str) -> None:
    env = world_of(what)
    model, opponent = env.unwrapped.model, getattr(env.unwrapped, "opponent", None)
    made = everything(model)
    drift = Drift(env, [CHANGES[what]])
    changed = differing(model, made)
    allowed = WRITTEN[what] | (DERIVED if EFFECTS[what].constants else set())
    assert WRITTEN[what] <= changed <= allowed
    if CHANGES[what].target:
        for name in WRITTEN[what]:
            now = everything(model)[name]
            rows = [row for row in range(len(now)) if not np.array_equal(now[row], made[name][row])]
            assert len(rows) == 1, name
    drift.restore()
    assert not differing(model, made)
    assert getattr(env.unwrapped, "opponent", None) == opponent


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_that_has_not_come_or_is_over_leaves_the_world_exactly_as_made(what: str) -> None:
    change = CHANGES[what]
    env = world_of(what)
    made = everything(env.unwrapped.model)
    drift = Drift(env, [Change(change.what, change.to, change.target, at=2, over=3, until=4)])
    differs = []
    for step in range(6):
        drift.life_steps = step
        drift._changing.apply(drift.life_steps)
        differs.append(bool(differing(env.unwrapped.model, made)))
    there = bool(WRITTEN[what])
    # On a ramp of 3 steps from step 2, half a distractor rounds to none.
    assert differs == [False, False, False, there, False, False]


def written(change: Change) -> tuple[mujoco.MjModel, mujoco.MjModel]:
    made, env = world_of(change.what), world_of(change.what)
    Drift(env, [change])
    return made.unwrapped.model, env.unwrapped.model


def test_factors_and_sums_are_written_with_the_right_size() -> None:
    made, now = written(CHANGES["friction"])
    assert np.allclose(now.geom("cube").friction, 0.5 * made.geom("cube").friction)
    made, now = written(CHANGES["mass"])
    assert np.allclose(now.body("cube").mass, 2 * made.body("cube").mass)
    assert np.allclose(now.body("cube").inertia, 2 * made.body("cube").inertia)
    made, now = written(CHANGES["payload"])
    assert np.allclose(now.body("gripper").mass, made.body("gripper").mass + 0.15)
    made, now = written(CHANGES["gain"])
    for name in ("gainprm", "biasprm", "forcerange"):
        assert np.allclose(getattr(now.actuator("elbow_flex"), name), 0.5 * getattr(made.actuator("elbow_flex"), name))
    made, now = written(CHANGES["damping"])
    assert np.allclose(now.joint("wrist_roll").damping, 3 * made.joint("wrist_roll").damping)
    made, now = written(CHANGES["dry_friction"])
    assert np.allclose(now.joint("wrist_roll").frictionloss, 3 * made.joint("wrist_roll").frictionloss)
    made, now = written(CHANGES["command_delay"])
    assert np.allclose(now.actuator_delay, 0.02 * (np.arange(6) == now.actuator("elbow_flex").id))


def test_without_a_target_all_are_meant() -> None:
    made, now = written(Change("gain", 0.5))
    assert np.allclose(now.actuator_forcerange, 0.5 * made.actuator_forcerange)
    made, now = written(Change("friction", 0.5))
    assert np.allclose(now.geom_friction, 0.5 * made.geom_friction)


def test_tilt_turns_gravity_in_the_forward_plane_and_keeps_its_size() -> None:
    made, now = written(CHANGES["tilt"])
    down, turned = made.opt.gravity, now.opt.gravity
    assert np.isclose(np.linalg.norm(turned), np.linalg.norm(down))
    assert turned[1] == 0
    assert np.isclose(np.rad2deg(np.arccos(turned @ down / (down @ down))), 10)


def test_a_camera_moves_along_and_turns_about_its_own_axes() -> None:
    def axes(model: mujoco.MjModel) -> np.ndarray:
        rotation = np.empty(9)
        mujoco.mju_quat2Mat(rotation, model.camera("wrist").quat)
        return rotation.reshape(3, 3).T

    made, now = written(CHANGES["camera_shift"])
    assert np.allclose(now.camera("wrist").pos - made.camera("wrist").pos, 0.05 * axes(made)[0])
    made, now = written(CHANGES["camera_roll"])
    right, up, back = axes(made)
    assert np.allclose(axes(now), [up, -right, back]), "a quarter turn about the axis that it looks along"


def test_a_third_of_the_colour_circle_passes_each_channel_on() -> None:
    made, now = written(CHANGES["hue"])
    assert np.allclose(now.geom_rgba, made.geom_rgba[:, [2, 0, 1, 3]], atol=1e-6)
    assert np.ptp(made.geom_rgba[:, :3], axis=1).max() > 0.5, "there are colours to turn"


def test_as_many_distractors_are_seen_as_were_asked_for() -> None:
    env = Littered()
    drift = Drift(env, [Change("distractors", 4.0, over=4)])
    seen = []
    for drift.life_steps in range(6):
        drift._changing.apply(drift.life_steps)
        seen.append(int((env.model.geom_rgba[1:, 3] > 0).sum()))
    assert seen == [0, 1, 2, 3, 4, 4]


def test_the_opponent_behaves_as_the_schedule_says() -> None:
    env = robot_agent_sim.make("arena/pursuit")
    drift = Drift(env, [Change("opponent", 2.0, at=3, until=5)])
    opponents = []
    drift.reset(seed=0)
    for _ in range(7):
        drift.step(np.zeros(2))
        opponents.append(env.unwrapped.opponent)
    assert opponents == [0, 0, 0, 2, 2, 0, 0]


def test_changes_of_the_same_thing_add_up() -> None:
    env = PushCubeEnv(**BLIND)
    made = env.model.body("gripper").mass[0], env.model.actuator("gripper").forcerange[1]
    factors, sums = [Change("gain", 0.5), Change("gain", 0.5, "gripper")], [Change("payload", 0.1, "gripper")] * 2
    Drift(env, [*factors, *sums, Change("mass", 2.0, "gripper")])
    assert env.model.body("gripper").mass[0] == pytest.approx(2 * (made[0] + 0.2))
    assert env.model.actuator("gripper").forcerange[1] == pytest.approx(0.25 * made[1])


# ---- what is refused ----


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (Change("gravity", 1.0), "nothing can change 'gravity', expected one of friction, mass, payload, gain"),
        (
            Change("stuck", 1.0, "elbow"),
            "there is no joint 'elbow', expected one of shoulder_pan, shoulder_lift, elbow",
        ),
        (Change("gain", 1.0, "left_wheel"), "there is no actuator 'left_wheel', expected one of shoulder_pan"),
        (Change("payload", 1.0, "hand"), "there is no body 'hand', expected one of world, base, shoulder"),
        (Change("friction", 1.0, "floor"), "there is no geom 'floor', expected one of table, foot"),
        (Change("camera_roll", 1.0, "front"), "there is no camera 'front', expected one of overhead, wrist"),
        (Change("command_delay", 0.1), "command delay of 0.1 s is longer than this world remembers commands, 0.072 s"),
        (Change("distractors", 99.0), r"99 distractors are more than the \d+ that this world has"),
        (Change("opponent", 1.0), "this world has no opponent that could change"),
    ],
)
@pytest.mark.parametrize("at", [0, 100])
def test_what_a_world_cannot_have_is_refused_before_it_begins(change: Change, complaint: str, at: int) -> None:
    env = ReachEnv(**BLIND)
    made = everything(env.model)
    possible = Change("payload", 0.1, "gripper")
    with pytest.raises(ValueError, match=complaint):
        Drift(env, [possible, Change(change.what, change.to, change.target, at=at)])
    assert not differing(env.model, made), "what is refused leaves nothing behind"
    with pytest.raises(ValueError, match=complaint):
        Drift(env, ranges=[Range(change.what, change.to, change.to, change.target)])


@pytest.mark.parametrize(
    "change",
    [Change("mass", 0.0), Change("payload", -1.0, "gripper"), Change("sensor_delay", -0.1), Change("light", -1)],
)
def test_values_that_no_world_can_have_are_refused(change: Change) -> None:
    with pytest.raises(ValueError, match="expected a positive number"):
        Drift(ReachEnv(**BLIND), [change])


def test_a_behaviour_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="opponent goes to 7, expected at most 2"):
        Drift(robot_agent_sim.make("arena/push"), [Change("opponent", 7, at=50)])


def test_a_command_delay_counts_on_top_of_the_servos_own() -> None:
    env = ReachEnv(servo=Servo(delay=0.04), **BLIND)
    Drift(env, [Change("command_delay", 0.02)])
    assert np.allclose(env.model.actuator_delay, 0.06)
    with pytest.raises(ValueError, match="longer than this world remembers"):
        Drift(ReachEnv(servo=Servo(delay=0.04), **BLIND), [Change("command_delay", 0.04)])


def test_delays_that_are_too_long_together_are_refused() -> None:
    with pytest.raises(ValueError, match=r"command delay of 0\.08 s is longer"):
        Drift(ReachEnv(**BLIND), [Change("command_delay", 0.04), Change("command_delay", 0.04, at=50)])


def test_a_world_without_a_model_is_refused() -> None:
    with pytest.raises(ValueError, match="has no MuJoCo model that could change: choose another world"):
        Drift(PointMass(), [Change("gain", 0.5)])


# ---- the life ----


def test_the_schedule_counts_across_episodes_and_info_tells_what_differs() -> None:
    changes = [Change("gain", 0.5, "elbow_flex", at=7), Change("payload", 0.3, at=4, over=3, until=9)]
    env = Drift(ReachEnv(episode_steps=5, **BLIND), changes)
    told, truncated = [], True
    for _ in range(12):
        if truncated:
            env.reset()
        *_, truncated, info = env.step(np.zeros(6))
        told.append(info["drift"])
        assert env.unwrapped.model.actuator("elbow_flex").forcerange[1] == pytest.approx(
            2.94 * info["drift"].get("gain:elbow_flex", 1.0)
        )
    expected = [{}] * 5 + [{"payload": 0.1}, {"payload": 0.2}] + [{"gain:elbow_flex": 0.5, "payload": 0.3}] * 2
    assert [{name: round(value, 9) for name, value in entry.items()} for entry in told] == [
        *expected,
        *[{"gain:elbow_flex": 0.5}] * 3,
    ]


def test_two_changes_of_one_name_are_both_told() -> None:
    drift = Drift(ReachEnv(**BLIND), [Change("payload", 0.1, "gripper"), Change("payload", 0.2, "gripper")])
    assert drift.reset(seed=0)[1]["drift"] == {"payload:gripper": 0.1, "payload:gripper#2": 0.2}


def test_ranges_are_drawn_at_each_reset_and_again_from_the_same_seed() -> None:
    ranges = (Range("gain", 0.7, 1.2), Range("payload", 0.0, 0.3, "gripper"))

    def draws(env: Drift, count: int, seed: int | None = None) -> list[dict[str, float]]:
        drawn = []
        for index in range(count):
            _, info = env.reset(seed=seed if index == 0 else None)
            assert env.step(np.zeros(6))[4]["drift"] == info["drift"], "they hold for the episode"
            drawn.append(info["drift"])
        return drawn

    one, same, other = (Drift(ReachEnv(**BLIND), ranges=ranges, seed=seed) for seed in (1, 1, 2))
    first = draws(one, 20)
    assert first == draws(same, 20)
    assert first[:3] != draws(other, 3)
    assert draws(one, 3, seed=5) == draws(other, 3, seed=5)
    gains, payloads = np.array([[entry["gain"], entry["payload:gripper"]] for entry in first]).T
    assert np.all((gains >= 0.7) & (gains <= 1.2))
    assert np.all((payloads >= 0) & (payloads <= 0.3))
    assert len(set(gains)) == len(set(payloads)) == 20


def test_the_same_changes_ranges_and_seed_give_the_same_life() -> None:
    def life(env: Drift) -> list[np.ndarray]:
        rng, told = np.random.default_rng(0), []
        for episode in range(3):
            told += lived(env, rng.uniform(-1, 1, (10, 6)), seed=3 if episode == 0 else None)
        return [step["info"]["state"] for step in told]

    changes = [Change("mass", 1.5, "gripper", at=5, over=10), Change("gain", 0.5, every=8)]
    one, again = (Drift(ReachEnv(**BLIND), changes, [Range("damping", 0.5, 2.0)]) for _ in range(2))
    assert np.array_equal(life(one), life(again))


def test_a_sensor_delay_delivers_old_observations_and_fresh_goals() -> None:
    actions = np.random.default_rng(0).uniform(-1, 1, (12, 6))
    fresh = lived(ReachEnv(**BLIND), actions)
    env = Drift(ReachEnv(**BLIND), [Change("sensor_delay", 0.06, until=8)])
    for _ in range(2):  # a second episode must not begin with what the first one saw last
        env.life_steps = 0
        late = lived(env, actions)
        for step, (old, now) in enumerate(zip(late, fresh, strict=True)):
            # The eighth step is taken when the delay is over, at life step 8.
            expected = fresh[max(0, step - 3)] if step <= 8 else now
            assert np.array_equal(old["proprio"], expected["proprio"]), step
            for name in ("achieved_goal", "desired_goal"):
                assert np.array_equal(old[name], now[name])
            assert np.array_equal(old["info"]["state"], now["info"]["state"])
