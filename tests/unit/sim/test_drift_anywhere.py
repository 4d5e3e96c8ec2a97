"""Drift around worlds that others made, around arenas, and around what drifts already."""

from __future__ import annotations

from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest
import robot_agent_sim
from pettingzoo.test import parallel_api_test
from robot_agent_sim.arena.games import PursuitEnv, PushEnv
from robot_agent_sim.drift.change import Change, Range
from robot_agent_sim.drift.drift import Drift
from robot_agent_sim.drift.effects import EFFECTS
from robot_agent_sim.drift.parallel import ParallelDrift
from robot_agent_sim.so101.tasks import ReachEnv

from tests.unit.sim.drifting import everything

POSSIBLE = {
    "friction": 0.3, "mass": 2.0, "payload": 0.5, "gain": 0.5, "stuck": 1.0, "damping": 3.0, "armature": 3.0,
    "dry_friction": 3.0, "tilt": 10.0,
    "command_delay": 0.04, "reversed": 1.0, "permuted": 1.0,
    "sensor_delay": 0.1, "camera_shift": 0.3, "camera_roll": 30.0, "light": 0.3, "hue": 120.0,
}  # fmt: skip
"""By effect, a value that changes what is lived in any world that can be pushed about and looked at."""
IMPOSSIBLE = {
    "torque": (0.5, "this world has actuators without a largest force that could change"),
    "distractors": (1.0, "1 distractors are more than the 0 that this world has"),
    "opponent": (1.0, "this world has no opponent that could change"),
}
NOTHING_THERE = (("dmc/finger-spin", "friction"), ("dmc/finger-spin", "armature"))
FOREIGN = ["dmc/walker-walk", "dmc/finger-spin", "gym/HalfCheetah-v5"]


def foreign(world: str) -> gymnasium.Env[Any, Any]:
    streams = ("camera", "proprio") if world.startswith("dmc") else ("proprio",)
    return robot_agent_sim.make(world, streams=streams, camera_size=(16, 16), camera_backend="raycast")


def lived(env: gymnasium.Env[Any, Any], steps: int = 12) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    told = [env.reset(seed=0)[0]]
    told += [env.step(rng.uniform(-1, 1, env.action_space.shape))[0] for _ in range(steps)]
    return told


def alike(one: list[dict[str, np.ndarray]], other: list[dict[str, np.ndarray]]) -> bool:
    return all(np.array_equal(a[name], b[name]) for a, b in zip(one, other, strict=True) for name in a)


def test_every_effect_is_possible_or_refused_in_other_peoples_worlds() -> None:
    assert set(POSSIBLE) | set(IMPOSSIBLE) == set(EFFECTS)


@pytest.mark.parametrize("world", FOREIGN)
def test_what_changes_is_felt_or_seen_and_leaves_no_trace(world: str) -> None:
    env = foreign(world)
    plain, made = lived(env), everything(env.unwrapped.model)
    for what, value in POSSIBLE.items():
        if (world, what) == ("dmc/finger-spin", "tilt"):
            with pytest.raises(ValueError, match="this world has no gravity whose direction could change"):
                Drift(env, [Change(what, value)])
            continue
        camera = world.startswith("dmc") and what.startswith("camera")
        change = Change(what, value, env.unwrapped.model.camera(0).name if camera else "")
        drift = Drift(env, [change])
        told = lived(drift)
        # HalfCheetah is not looked at here, no joint of these has dry friction, a finger's no armature, and it
        # slips on nothing so soon.
        unnoticed = what == "dry_friction" or (world, what) in NOTHING_THERE
        unseen = what in ("camera_shift", "camera_roll", "light", "hue") and "camera/main" not in plain[0]
        assert unnoticed or unseen or not alike(told, plain), what
        drift.restore()
        now = everything(env.unwrapped.model)
        assert [name for name in now if not np.array_equal(now[name], made[name])] == [], what
    assert alike(lived(env), plain)
    env.close()


@pytest.mark.parametrize("world", FOREIGN)
@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_what_other_peoples_worlds_cannot_have_is_refused(world: str, what: str) -> None:
    value, complaint = IMPOSSIBLE[what]
    with pytest.raises(ValueError, match=complaint):
        Drift(robot_agent_sim.make(world), [Change(what, value)])


def test_a_task_that_writes_into_its_model_when_an_episode_begins_does_not_undo_a_change() -> None:
    env = robot_agent_sim.make("dmc/finger-spin")  # sets the damping of its hinge
    drift = Drift(env, [Change("damping", 3.0, "hinge")])
    drift.reset(seed=0)
    assert env.unwrapped.model.joint("hinge").damping == pytest.approx(3 * 0.03)


def test_a_camera_that_turns_to_what_it_follows_cannot_roll() -> None:
    env = robot_agent_sim.make("dmc/cartpole-swingup")
    model = env.unwrapped.model
    follows = int(mujoco.mjtCamLight.mjCAMLIGHT_TARGETBODY)
    (camera,) = (model.camera(index).name for index in range(model.ncam) if model.cam_mode[index] == follows)
    with pytest.raises(ValueError, match="turns to what it follows cannot be turned otherwise"):
        Drift(env, [Change("camera_roll", 10.0, camera)])


def test_a_raw_gymnasium_world_can_change_but_delivers_nothing_late() -> None:
    env = gymnasium.make("HalfCheetah-v5")
    states = []
    for gain in (1.0, 0.5):
        drift = Drift(env, [Change("gain", gain)])
        drift.reset(seed=0)
        states.append(drift.step(np.ones(6, np.float32))[0])
        drift.restore()
    assert np.any(states[0] != states[1])
    with pytest.raises(ValueError, match=r"cannot deliver old observations: build it with robot_agent_sim\.make"):
        Drift(env, [Change("sensor_delay", 0.1)])


def test_a_kind_of_thing_that_a_world_has_none_of_is_refused() -> None:
    with pytest.raises(ValueError, match="this world has no camera that could change"):
        Drift(gymnasium.make("InvertedPendulum-v5"), [Change("camera_shift", 0.1)])


# ---- what drifts already ----


def test_a_second_drift_is_refused_whether_it_wraps_the_first_or_stands_beside_it() -> None:
    world = ReachEnv(streams=("proprio",))
    first = Drift(world, [Change("gain", 0.5)])
    made = everything(world.model)
    for env in (first, world):
        with pytest.raises(ValueError, match="this world drifts already: give all changes to one Drift, or restore"):
            Drift(env, [Change("payload", 0.1, "gripper")])
    assert all(np.array_equal(value, made[name]) for name, value in everything(world.model).items())
    first.restore()
    Drift(world, [Change("payload", 0.1, "gripper")]).reset(seed=0)
    assert world.model.actuator("elbow_flex").forcerange[1] == pytest.approx(2.94), "as made, not as the first left it"


def test_a_drift_that_was_refused_leaves_the_world_free() -> None:
    world = ReachEnv(streams=("proprio",))
    with pytest.raises(ValueError, match="no joint 'tail'"):
        Drift(world, [Change("stuck", 1.0, "tail")])
    Drift(world, [Change("stuck", 1.0, "elbow_flex")])


def test_a_life_drifts_by_itself() -> None:
    with pytest.raises(ValueError, match="a life changes by its chapters"):
        Drift(robot_agent_sim.make("life/arm-year"), [Change("gain", 0.5)])


# ---- arenas ----


def test_an_arena_changes_for_all_its_agents_and_is_restored() -> None:
    arena = PushEnv(streams=("proprio",), episode_steps=10)
    made = everything(arena.model)
    drift = ParallelDrift(
        arena, [Change("mass", 5.0, "box", at=5)], [Range("gain", 0.5, 0.9, "west/left_wheel")], seed=1
    )
    drawn = []
    for _ in range(2):
        _, infos = drift.reset(seed=None)
        while drift.agents:
            *_, infos = drift.step({agent: np.ones(2) for agent in drift.agents})
        assert infos["east"]["drift"] == infos["west"]["drift"]
        assert infos["east"]["drift"]["mass:box"] == 5.0
        drawn.append(infos["east"]["drift"]["gain:west/left_wheel"])
    assert drawn[0] != drawn[1]
    assert arena.model.body("box").mass[0] == pytest.approx(2.0)
    drift.restore()
    assert all(np.array_equal(value, made[name]) for name, value in everything(arena.model).items())


def test_an_arenas_schedule_and_draws_are_reproducible() -> None:
    def life() -> list[np.ndarray]:
        drift = ParallelDrift(
            PursuitEnv(streams=("proprio",)), [Change("friction", 0.2, every=6)], [Range("mass", 0.5, 2.0)]
        )
        drift.reset(seed=4)
        return [drift.step({"chaser": np.ones(2), "runner": -np.ones(2)})[4]["runner"]["state"] for _ in range(15)]

    assert np.array_equal(life(), life())


@pytest.mark.filterwarnings("ignore::UserWarning")  # remarks of the checker
def test_pettingzoo_accepts_an_arena_that_changes() -> None:
    parallel_api_test(ParallelDrift(PushEnv(streams=("proprio",)), [Change("tilt", 3.0, every=20)]), num_cycles=250)


def test_what_an_arena_cannot_have_is_refused() -> None:
    for change, complaint in (
        (Change("opponent", 1.0), "this world has no opponent that could change"),
        (Change("distractors", 1.0), "1 distractors are more than the 0 that this world has"),
        (Change("stuck", 1.0, "tail"), "there is no joint 'tail'"),
    ):
        with pytest.raises(ValueError, match=complaint):
            ParallelDrift(PushEnv(streams=("proprio",)), [change])
    arena = PushEnv(streams=("proprio",))
    ParallelDrift(arena, [Change("tilt", 3.0)])
    with pytest.raises(ValueError, match="this world drifts already"):
        ParallelDrift(arena, [Change("tilt", 3.0)])
