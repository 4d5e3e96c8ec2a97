"""`docs/worlds.md` says of the worlds what the worlds are: its tables, its numbers and its examples."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import robot_agent_sim
from matplotlib.image import imread
from robot_agent_sim.arena.games import PursuitEnv, PushEnv
from robot_agent_sim.drift.change import Change, Range
from robot_agent_sim.drift.drift import Drift
from robot_agent_sim.drift.effects import EFFECTS
from robot_agent_sim.life.lives import LIVES
from robot_agent_sim.mujoco_env import MujocoEnv
from robot_agent_sim.rover.rover import FASTEST_WHEEL, HALF_SIZE, WHEEL_RADIUS
from robot_agent_sim.rover.tasks import RoverGoalEnv
from robot_agent_sim.servo_arm import reach
from robot_agent_sim.so101.arm import JOINTS, Servo
from robot_agent_sim.so101.tasks import CONTROL_DT, FASTEST_COMMAND, LiftCubeEnv, PushCubeEnv, ReachEnv
from robot_agent_sim.worlds import OWN_WORLDS, SHARED_WORLDS, SIDES

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "worlds.md").read_text()
TEXT = " ".join(PAGE.split())


def table(first_column: str) -> list[list[str]]:
    """The rows, as cells, of the table whose head begins with this."""
    lines = PAGE.splitlines()
    (start,) = (index for index, line in enumerate(lines) if line.startswith(f"| {first_column}"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def example(word: str) -> str:
    """The python example that has this word in it."""
    (code,) = (code for code in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL) if word in code)
    return code


def printed(code: str) -> str:
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "kernels", "sim"))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_registered(world: str) -> MujocoEnv:
    env = gymnasium.make(f"{world}-v0").unwrapped
    assert isinstance(env, MujocoEnv)
    return env


# ---- worlds ----


def test_the_tables_have_every_world_that_is_made_here():
    assert [row[1] for row in table("| world | what")] == [f"`{world}`" for world in OWN_WORLDS]
    assert [row[0] for row in table("world | observations")] == [f"`{world}`" for world in OWN_WORLDS]
    assert [row[1] for row in table("| world | who")] == [f"`{world}`" for world in SIDES]
    assert "not measured" not in PAGE


def test_arenas_are_what_the_page_says():
    for world, (shared, agent, _) in SIDES.items():
        arena = {"arena/pursuit": PursuitEnv, "arena/push": PushEnv}[shared](camera_backend="raycast")
        (row,) = (row for row in table("| world | who") if row[1] == f"`{world}`")
        assert agent in row[2] or f"{agent}ern" in row[2]
        distance = arena.near if isinstance(arena, PursuitEnv) else arena.won
        assert f"{distance:g} m" in row[4]
        assert f"{arena.episode_steps} frames of {arena.metadata['control_dt']:g} s long" in TEXT
        spaces = arena.observation_space(agent).spaces  # type: ignore[attr-defined]
        assert {name: box.shape for name, box in spaces.items()} == {"camera/front": (64, 64, 3), "proprio": (4,)}
        assert arena.action_space(agent).shape == (2,)
    assert f"1 is {PursuitEnv.handicap * FASTEST_WHEEL:g} rad/s" in TEXT
    assert f"in units of {HALF_SIZE:g} m" in TEXT


@pytest.mark.parametrize("world", SHARED_WORLDS)
def test_an_arena_has_a_picture_of_its_own_that_is_small(world: str):
    picture = f"pictures/worlds_{world.replace('/', '_')}.png"
    assert f"| ![]({picture}) | `{world}` |" in PAGE
    assert imread(ROOT / "docs" / picture).shape[:2] == (240, 320)
    assert (ROOT / "docs" / picture).stat().st_size < 20_000


@pytest.mark.parametrize("world", OWN_WORLDS)
def test_a_world_has_a_picture_of_its_own_that_is_small(world: str):
    path = f"pictures/worlds_{world.replace('/', '_')}.png"
    (row,) = (row for row in table("| world | what") if row[1] == f"`{world}`")
    assert row[0] == f"![]({path})"
    picture = ROOT / "docs" / path
    assert imread(picture).shape[:2] == (240, 320)
    assert picture.stat().st_size < 20_000


@pytest.mark.parametrize("world", OWN_WORLDS)
def test_a_world_is_done_when_the_page_says_and_lasts_as_long(world: str):
    env = as_registered(world)
    (row,) = (row for row in table("| world | what") if row[1] == f"`{world}`")
    distance = env.lift if isinstance(env, LiftCubeEnv) else env.tolerance  # type: ignore[attr-defined]
    assert f"{distance:g} m" in row[3]
    assert row[4] == f"{env.episode_steps} frames of {env.metadata['control_dt']:g} s"


@pytest.mark.parametrize("world", OWN_WORLDS)
def test_spaces_and_cameras_are_those_of_the_page(world: str):
    env = as_registered(world)
    (row,) = (row for row in table("world | observations") if row[0] == f"`{world}`")
    spaces = dict(env.observation_space.spaces)
    camera = next(name for name in spaces if name.startswith("camera/"))
    goals = [name for name in spaces if name.endswith("_goal")]
    assert spaces[camera].shape == (64, 64, 3)
    said = [f"`proprio` ({spaces['proprio'].shape[0]},)", *(["goals (3,)"] if goals else []), f"`{camera}`"]
    assert row[1] == ", ".join(said)
    assert [spaces[name].shape for name in goals] == [(3,)] * len(goals)
    assert row[2].split()[0] == str(env.action_space.shape[0])
    named = [env.model.camera(index).name for index in range(env.model.ncam)]
    assert set(re.findall(r"`(\w+)`", row[4])) == {name for name in named if "/" not in name}
    assert f"camera/{re.findall(r'`(.+?)`', row[4])[0]}" == camera
    assert env.render().shape == (240, 320, 3)
    assert named[0] == "overhead"


def test_numbers_about_actions_rewards_and_servos_are_those_of_the_code():
    servo = Servo()
    assert ", ".join(JOINTS[:-1]) + " and " + JOINTS[-1] in TEXT
    assert f"by up to {FASTEST_COMMAND * CONTROL_DT:g} rad a frame ({FASTEST_COMMAND:g} rad/s)" in TEXT
    assert f"1 being {FASTEST_WHEEL:g} rad/s, or {FASTEST_WHEEL * WHEEL_RADIUS:g} m/s" in TEXT
    assert (
        f"by up to {reach.FASTEST_COMMAND * reach.CONTROL_DT:g} rad a frame ({reach.FASTEST_COMMAND:g} rad/s)" in TEXT
    )
    assert f"of {', '.join(reach.JOINTS[:-1])} and {reach.JOINTS[-1]};" in TEXT
    assert ReachEnv.scale == PushCubeEnv.scale == reach.ServoArmReachEnv.scale
    assert f"s is {ReachEnv.scale:g} (reach and push), {LiftCubeEnv.scale:g} (lift) or {RoverGoalEnv.scale:g}" in TEXT
    assert f"Touching another rover costs {RoverGoalEnv.collision_cost:g} a frame" in TEXT
    assert f"Stall torque ({servo.stall_torque:g} N·m), speed without load ({servo.no_load_speed:g} rad/s)" in TEXT
    assert f"the encoder's {servo.encoder_steps:,} steps" in TEXT
    assert servo.backlash == servo.delay == 0


@pytest.mark.parametrize(("world", "frames"), [("so101/reach", 2), ("rover/goal", 1)])
def test_a_named_arm_takes_an_action_for_two_frames(world: str, frames: int):
    env = robot_agent_sim.make(world)
    assert env.metadata["frames_per_step"] == frames
    assert list(env.observation_space.spaces)[-1] == "proprio"  # type: ignore[attr-defined]
    assert robot_agent_sim.make(world, action_repeat=1).metadata["frames_per_step"] == 1


def test_speeds_are_those_of_the_table_for_every_world():
    with (ROOT / "benchmarks" / "results" / "sim.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["baseline"] == "without cameras"]
    wanted = [[f"`{row['case']}`", f"{int(row['rate']):,}", f"{int(row['baseline_rate']):,}"] for row in rows]
    assert table("world: steps") == wanted
    assert [row["case"] for row in rows] == [*OWN_WORLDS, *SIDES]


# ---- changes ----


def test_the_table_of_effects_is_that_of_the_code():
    wanted = [[f"`{name}`", of.meaning, f"{of.neutral:g}", of.of or ""] for name, of in EFFECTS.items()]
    assert table("what | its value") == wanted


def test_limits_of_changes_are_those_of_the_code():
    most = {"servo-arm/reach": 5, "so101/reach": 5, "rover/goal": 4, "arena/pursuit": 0}
    assert "Arm worlds have 5 distractors to show, rover worlds 4, arenas none" in TEXT
    for world, count in most.items():
        env = robot_agent_sim.make(world)
        Drift(env, [Change("distractors", count)]).restore()
        with pytest.raises(ValueError, match=f"more than the {count} that this world has"):
            Drift(env, [Change("distractors", count + 1)])
    longest = {}
    for world in ("servo-arm/reach", "so101/reach", "rover/goal"):
        model = as_registered(world).model
        longest[world] = float(model.actuator_history[0, 0] * model.opt.timestep)
        Drift(robot_agent_sim.make(world), [Change("command_delay", longest[world])])
        with pytest.raises(ValueError, match="longer than this world remembers"):
            Drift(robot_agent_sim.make(world), [Change("command_delay", longest[world] + 0.002)])
    assert (
        "remembered: {:g} s for the servo arm, {:g} s for the SO-101, {:g} s for rovers".format(*longest.values())
        in TEXT
    )
    with pytest.raises(ValueError, match="no opponent"):
        Drift(robot_agent_sim.make("rover/goal"), [Change("opponent", 1)])


# ---- lives ----


def described(change: Change | Range) -> str:
    """A change or a range as the page puts it."""
    what = f"`{change.what}`" + (f" of `{change.target}`" if change.target else "")
    if isinstance(change, Range):
        return f"{what} from {change.low:g} to {change.high:g} each episode"
    assert change.until is None
    parts = [f"{what} to {change.to:g}"]
    parts += [f"{word} {steps:,}" for word in ("at", "over", "every") if (steps := getattr(change, word))]
    return " ".join(parts)


def test_the_table_of_lives_has_every_chapter_and_what_changes_in_it():
    wanted = [
        [
            f"`life/{name}`",
            str(number),
            f"`{chapter.world}`",
            f"{chapter.steps:,}",
            "; ".join(described(change) for change in (*chapter.changes, *chapter.ranges)) or "nothing",
        ]
        for name, (_, chapters) in LIVES.items()
        for number, chapter in enumerate(chapters, 1)
    ]
    assert table("life | chapter") == wanted


def test_the_page_knows_how_long_a_round_of_the_arms_life_is():
    frames = robot_agent_sim.make("life/arm-year").metadata["frames_per_step"]
    steps = sum(chapter.steps for chapter in LIVES["arm-year"][1])
    assert f"{frames * steps:,} frames are one round of `life/arm-year`" in TEXT
    assert f"--world life/arm-year --frames {frames * steps} " in TEXT


# ---- examples ----


def test_every_python_example_runs_and_prints_what_it_is_about():
    assert len(re.findall(r"```python", PAGE)) == 2
    shown, meaning = printed(example("gymnasium.make")).splitlines()
    assert shown.startswith("(48, 64, 3) [")
    assert "up to 0.06 rad" in meaning
    told = eval(printed(example("Drift(")), {"__builtins__": {}})
    assert told.keys() == {"gain:elbow_flex", "payload:gripper"}
    assert told["gain:elbow_flex"] == 0.5
    assert 0 <= told["payload:gripper"] <= 0.1
    assert np.isfinite(told["payload:gripper"])
