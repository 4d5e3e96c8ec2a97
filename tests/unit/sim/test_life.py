"""A life of chapters is one world to who lives it, and where it stands depends on how long it was lived alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import robot_agent_sim
from robot_agent_sim.drift.change import Change, Range
from robot_agent_sim.life.chapter import Chapter
from robot_agent_sim.life.lives import LIVES
from robot_agent_sim.life.stream import LifeStream
from robot_agent_sim.rover.tasks import RoverGoalEnv, RoverTrafficEnv
from robot_agent_sim.so101.tasks import ArmEnv, LiftCubeEnv, PushCubeEnv, ReachEnv
from robot_agent_sim.wrappers.action_repeat import ActionRepeat


class Push(PushCubeEnv):
    """Rewards a goal as reaching does, so both fit into one life."""

    tolerance = ReachEnv.tolerance


WORLDS = {
    "reach": ReachEnv,
    "push": Push,
    "lift": LiftCubeEnv,
    "goal": RoverGoalEnv,
    "traffic": RoverTrafficEnv,
}
EPISODE = 5
CHAPTERS = (
    Chapter("reach", 10),
    Chapter("reach", 10, (Change("gain", 0.5, at=5), Change("payload", 0.1, "gripper", over=10))),
    Chapter("push", 5, (Change("stuck", 1.0, "elbow_flex"),), (Range("mass", 0.5, 2.0, "cube"),)),
)


def small(name: str) -> gymnasium.Env[Any, Any]:
    return WORLDS[name](streams=("proprio",), episode_steps=EPISODE)


def live(stream: LifeStream, episodes: int) -> list[dict[str, Any]]:
    """What each step told, the actions depending on nothing but the step of the life."""
    told = []
    for _ in range(episodes):
        stream.reset(seed=stream.life_steps)
        truncated = False
        while not truncated:
            action = np.random.default_rng(stream.life_steps).uniform(-1, 1, stream.action_space.shape)
            observation, reward, _, truncated, info = stream.step(action)
            told.append({**observation, **info, "reward": reward})
    return told


def test_chapters_worlds_and_their_changes_come_where_they_should_year_after_year() -> None:
    told = live(LifeStream(CHAPTERS, small), 15)
    assert [step["chapter"] for step in told[::5]] == [0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 6, 6, 7, 7, 8]
    for life_step, step in enumerate(told):
        within = life_step % 25
        chapter = 0 if within < 10 else 1 if within < 20 else 2
        assert step["world"] == ("reach", "reach", "push")[chapter]
        drift = {name: round(value, 9) for name, value in step["drift"].items()}
        if chapter == 0:
            assert drift == {}
        elif chapter == 1:
            since = within - 10
            expected = {"gain": 0.5 if since >= 5 else None, "payload:gripper": round(0.01 * since, 9) or None}
            assert drift == {name: value for name, value in expected.items() if value is not None}
        else:
            assert set(drift) == {"stuck:elbow_flex", "mass:cube"}
            assert 0.5 <= drift["mass:cube"] <= 2
    assert len({step["drift"]["mass:cube"] for step in told[20::25]}) == 3, "drawn anew each year"


def test_the_episode_in_which_a_chapter_ends_is_lived_to_its_end() -> None:
    stream = LifeStream((Chapter("reach", 7), Chapter("push", 7)), small)
    told = live(stream, 6)
    # Episodes begin at 0, 5, 10, 15, 20, 25; chapters at 0, 7, 14, 21.
    assert [step["chapter"] for step in told[::5]] == [0, 0, 1, 2, 2, 3]
    assert [step["world"] for step in told] == ["reach"] * 10 + ["push"] * 5 + ["reach"] * 10 + ["push"] * 5


def test_where_a_life_stands_depends_on_its_steps_alone() -> None:
    lived = LifeStream(CHAPTERS, small)
    for _ in range(12):
        resumed = LifeStream(CHAPTERS, small)
        resumed.life_steps = lived.life_steps
        (one,), (other,) = ([live(stream, 1)] for stream in (lived, resumed))
        for here, there in zip(one, other, strict=True):
            assert here.keys() == there.keys()
            for name, value in here.items():
                assert np.array_equal(value, there[name]), (name, lived.life_steps)


def test_nothing_of_a_chapter_is_left_in_the_next() -> None:
    changes = (Change("mass", 2.0), Change("gain", 0.3), Change("friction", 0.1), Change("command_delay", 0.04))
    stream = LifeStream((Chapter("reach", 5), Chapter("reach", 5, changes)), small)
    fresh = LifeStream((Chapter("reach", 5),), small)
    told = live(stream, 3)
    assert len(told[5]["drift"]) == 4
    fresh.life_steps = 10
    for here, there in zip(told[10:], live(fresh, 1), strict=True):
        assert np.array_equal(here["state"], there["state"])


def test_the_seed_of_a_stream_fixes_what_its_chapters_draw() -> None:
    def draws(seed: int) -> list[float]:
        stream = LifeStream((Chapter("reach", 10, ranges=(Range("gain", 0.7, 1.2),)),), small, seed)
        return [stream.reset()[1]["drift"]["gain"] for _ in range(3)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)


def test_rewards_of_hindsight_are_the_same_in_all_chapters() -> None:
    stream = LifeStream((Chapter("reach", 5), Chapter("push", 5)), small)
    achieved, desired = np.array([0.2, 0.0, 0.1]), np.array([[0.3, 0.0, 0.1], [0.21, 0.0, 0.1]])
    for _ in range(2):
        live(stream, 1)
        assert stream.compute_reward(achieved, desired, {}) == pytest.approx([0.25, 0.5 + 0.5 / 1.01])


@pytest.mark.parametrize(
    "other",
    [
        lambda: LiftCubeEnv(streams=("proprio",)),  # only height counts
        lambda: PushCubeEnv(streams=("proprio",)),  # a tolerance of 3 cm instead of 2
        lambda: ReachEnv(streams=("proprio",), reward="sparse"),
    ],
)
def test_worlds_that_reward_goals_differently_do_not_fit_into_one_life(other: Callable[[], ArmEnv]) -> None:
    def build(name: str) -> ArmEnv:
        return other() if name == "other" else ReachEnv(streams=("proprio",))

    with pytest.raises(
        ValueError, match="other rewards a goal otherwise than reach, and who relabels goals cannot tell"
    ):
        LifeStream((Chapter("reach", 5), Chapter("other", 5)), build)


def test_a_life_can_begin_in_any_chapter() -> None:
    stream = LifeStream(CHAPTERS, small)
    stream.begin(1, 7)
    told = live(stream, 1)
    assert (told[0]["chapter"], told[0]["world"]) == (1, "reach")
    assert told[0]["drift"] == pytest.approx({"gain": 0.5, "payload:gripper": 0.07})
    for chapter, step, complaint in (
        (3, 0, "there is no chapter 4, expected 1 to 3"),
        (-1, 0, "there is no chapter 0, expected 1 to 3"),
        (2, 5, "there is no step 5 in chapter 3, expected 0 to 4"),
    ):
        with pytest.raises(ValueError, match=complaint):
            stream.begin(chapter, step)


def test_worlds_that_do_not_fit_into_one_life_are_refused() -> None:
    with pytest.raises(ValueError, match="goal has other spaces or another control rate than reach"):
        LifeStream((Chapter("reach", 5), Chapter("goal", 5)), small)
    with pytest.raises(ValueError, match="slow has other spaces or another control rate than fast"):
        LifeStream(
            (Chapter("fast", 5), Chapter("slow", 5)),
            lambda name: ReachEnv(control_dt={"fast": 0.02, "slow": 0.04}[name], streams=("proprio",)),
        )
    with pytest.raises(ValueError, match="twice has other spaces or another control rate than once"):
        LifeStream(  # decisions as long, but of other frames
            (Chapter("once", 5), Chapter("twice", 5)),
            lambda name: (
                ActionRepeat(ReachEnv(streams=("proprio",)), 2)
                if name == "twice"
                else ReachEnv(control_dt=0.04, streams=("proprio",))
            ),
        )
    with pytest.raises(ValueError, match="a life needs at least one chapter"):
        LifeStream((), small)
    with pytest.raises(ValueError, match="a chapter in reach has 0 steps, expected at least 1"):
        Chapter("reach", 0)


def test_an_impossible_change_is_refused_before_the_life_begins() -> None:
    with pytest.raises(ValueError, match="there is no joint 'tail'"):
        LifeStream((Chapter("reach", 5), Chapter("reach", 5, (Change("stuck", 1.0, "tail"),))), small)


@pytest.mark.parametrize("name", LIVES)
def test_a_life_that_has_a_name_can_be_lived_in_all_its_chapters(name: str) -> None:
    line, chapters = LIVES[name]
    assert line
    stream = robot_agent_sim.make(f"life/{name}", streams=("camera", "proprio"), camera_size=(8, 8), seed=0)
    spaces = stream.observation_space, stream.action_space
    begins = 0
    for index, chapter in enumerate(chapters):
        # As late as 3 steps before its end, where changes are complete.
        for stream.unwrapped.life_steps in (begins, begins + chapter.steps - 3):
            observation, info = stream.reset()
            assert (info["chapter"], info["world"]) == (index, chapter.world)
            for _ in range(3):
                assert stream.observation_space.contains(observation)
                assert all(np.all(np.isfinite(part)) for part in observation.values())
                observation, reward, _, _, info = stream.step(stream.action_space.sample())
                assert np.isfinite(reward)
        assert (
            {entry.name for entry in chapter.ranges}
            <= set(info["drift"])
            <= {entry.name for entry in (*chapter.changes, *chapter.ranges)}
        )
        begins += chapter.steps
    assert (stream.observation_space, stream.action_space) == spaces
    stream.close()
