"""What a world computes of goals against what was lived: the same scale, the same ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from robot_agent.learning.goal_agreement import Agreement, LivedSteps, agree, newest_steps
from robot_agent.replay.replay import Replay, ReplayWriter
from robot_agent.types import BodySpec, Transition

REACH = 0.15


def away(achieved: np.ndarray, desired: np.ndarray) -> np.ndarray:
    return np.linalg.norm(achieved - desired, axis=-1)


def dense(achieved: np.ndarray, desired: np.ndarray) -> np.ndarray:
    return -away(achieved, desired).astype(np.float64)


def sparse(achieved: np.ndarray, desired: np.ndarray) -> np.ndarray:
    return (away(achieved, desired) < REACH).astype(np.float64)


def lived(
    compute: Callable[[np.ndarray, np.ndarray], np.ndarray],
    transform: Callable[[np.ndarray], np.ndarray] = lambda reward: reward,
    steps: int = 2000,
    repeat: int = 1,
    success_ends: bool = False,
    far: bool = False,
) -> LivedSteps:
    """Random moves from random places; a decision lasts `repeat` frames, or fewer where success ends the episode."""
    rng = np.random.default_rng(0)
    before = rng.uniform(-1, 1, (steps, 2))
    desired = rng.uniform(-1, 1, (steps, 2)) + 5 * far
    move = rng.normal(0, 0.1, (steps, 2))
    path = [before + move * frame / repeat for frame in range(repeat + 1)]
    there = np.stack([away(place, desired) < REACH for place in path[1:]])
    frames = np.where(there.any(0) & success_ends, there.argmax(0) + 1, repeat)
    counted = np.arange(1, repeat + 1)[:, None] <= frames
    rewards = np.stack([transform(compute(place, desired)) for place in path[1:]])
    return LivedSteps(
        before=before.astype(np.float32),
        achieved=np.stack(path)[frames, np.arange(steps)].astype(np.float32),
        desired=desired.astype(np.float32),
        reward=(rewards * counted).sum(0),
        frames=frames,
        terminated=there.any(0) & success_ends,
        truncated=np.arange(steps) % 25 == 24,
    )


@pytest.mark.parametrize("compute", [dense, sparse])
@pytest.mark.parametrize("repeat", [1, 2, 5])
@pytest.mark.parametrize("success_ends", [False, True])
def test_rewards_that_are_computed_as_they_were_lived_stay_as_they_are(compute, repeat: int, success_ends: bool):
    found = agree(lived(compute, repeat=repeat, success_ends=success_ends), compute, None, Agreement())
    assert (found.scale, found.offset, found.problem) == (1, 0, "")
    assert (found.ends_at is not None) == success_ends


@pytest.mark.parametrize("compute", [dense, sparse])
@pytest.mark.parametrize(("repeat", "accuracy"), [(1, 1e-3), (4, 0.1)])
@pytest.mark.parametrize(("scale", "offset"), [(0.044, 0.0), (1e-6, 0.0), (1e6, -1e6), (1.0, 3.0), (10.0, -2.0)])
def test_a_wrapper_that_rescales_is_found_out(compute, repeat: int, accuracy: float, scale: float, offset: float):
    steps = lived(compute, lambda reward: scale * reward + offset, repeat=repeat)
    found = agree(steps, compute, None, Agreement())
    assert found.problem == ""
    assert found.scale == pytest.approx(scale, rel=accuracy)
    assert found.offset == pytest.approx(offset, rel=accuracy, abs=accuracy * scale)


@pytest.mark.parametrize(
    "transform", [lambda reward: np.sin(20 * reward), lambda reward: -reward, lambda reward: reward**8]
)
@pytest.mark.parametrize("repeat", [1, 4])
def test_rewards_that_do_not_follow_from_computed_ones_are_a_problem(transform, repeat: int):
    found = agree(lived(dense, transform, repeat=repeat), dense, None, Agreement())
    assert "does not give the rewards that were lived" in found.problem


def test_another_term_in_the_reward_is_a_problem():
    steps = lived(dense)
    effort = np.random.default_rng(1).uniform(0, 1, len(steps.reward))
    assert agree(steps._replace(reward=steps.reward - effort), dense, None, Agreement()).problem


def test_a_scale_that_nothing_shows_yet_is_waited_for():
    def transform(reward: np.ndarray) -> np.ndarray:
        return 0.1 * reward - 1

    found = agree(lived(sparse, transform, far=True), sparse, None, Agreement())
    assert "vary too little" in found.problem
    found = agree(lived(sparse, transform), sparse, None, found)
    assert (found.problem, found.scale, found.offset) == ("", pytest.approx(0.1), pytest.approx(-1))


@pytest.mark.parametrize("repeat", [1, 4])
def test_a_scale_that_was_found_stays_while_nothing_shows_another(repeat: int):
    def transform(reward: np.ndarray) -> np.ndarray:
        return 0.1 * reward - 1

    found = agree(lived(sparse, transform, repeat=repeat), sparse, None, Agreement())
    later = agree(lived(sparse, transform, repeat=repeat, far=True), sparse, None, found)
    assert later.problem == ""
    assert later.scale == found.scale
    assert agree(lived(sparse, repeat=repeat), sparse, None, found).scale == 1


def test_unknown_rewards_contradict_nothing():
    steps = lived(dense)
    found = agree(steps._replace(reward=np.full(len(steps.reward), np.nan)), dense, None, Agreement())
    assert found == Agreement()


def test_rewards_that_are_mostly_not_finite_are_a_problem():
    found = agree(lived(dense), lambda achieved, desired: np.full(len(achieved), np.nan), None, Agreement())
    assert "not finite for 100%" in found.problem


def test_a_dense_reward_shows_from_where_on_success_ends_an_episode():
    found = agree(lived(dense, success_ends=True), dense, None, Agreement())
    assert found.ends_at == pytest.approx(-REACH, abs=0.01)


def with_falls(steps: LivedSteps, share: float, penalty: float = -100) -> LivedSteps:
    falls = (np.random.default_rng(2).random(len(steps.reward)) < share) & ~steps.terminated
    return steps._replace(
        terminated=steps.terminated | falls, reward=np.where(falls, steps.reward + penalty, steps.reward)
    )


@pytest.mark.parametrize("compute", [dense, sparse])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_falls_are_no_success_and_their_penalty_is_not_compared(compute, share: float):
    found = agree(with_falls(lived(compute), share), compute, None, Agreement())
    assert found == Agreement()
    found = agree(with_falls(lived(compute, success_ends=True), share), compute, None, Agreement())
    assert (found.scale, found.offset, found.problem) == (1, 0, "")
    assert found.ends_at is not None


def test_what_is_known_of_ends_stays_until_it_is_contradicted():
    known = agree(lived(sparse, success_ends=True), sparse, None, Agreement())
    assert known.ends_at == pytest.approx(0.5)
    assert agree(lived(sparse, success_ends=True, far=True), sparse, None, known).ends_at == known.ends_at
    assert agree(lived(sparse), sparse, None, known).ends_at is None


def test_an_end_that_is_declared_is_believed_unless_steps_went_on():
    def declared(achieved: np.ndarray, desired: np.ndarray) -> np.ndarray:
        return (away(achieved, desired) < REACH).astype(np.float64)

    assert agree(lived(dense, success_ends=True), dense, declared, Agreement()).declares_ends
    assert agree(lived(dense, far=True), dense, declared, Agreement()).declares_ends
    found = agree(lived(dense), dense, declared, Agreement(declares_ends=True))
    assert (found.declares_ends, found.ends_at) == (False, None)


@pytest.mark.parametrize("compute", [dense, sparse])
def test_an_end_that_is_declared_never_to_come_is_seen_where_it_comes(compute):
    def never(achieved: np.ndarray, desired: np.ndarray) -> np.ndarray:
        return np.zeros(len(achieved))

    found = agree(lived(compute, success_ends=True), compute, never, Agreement())
    assert found.ends_at is not None
    assert agree(lived(compute, success_ends=True, far=True), compute, never, found).ends_at == found.ends_at
    assert agree(lived(compute), compute, never, found).ends_at is None


def test_the_newest_steps_are_those_with_finite_goals_of_whatever_segment(tmp_path: Path):
    spec = BodySpec((), 1, 1, goal_dim=1, control_dt=0.2, frames_per_step=4)

    def observation(place: float) -> dict[str, np.ndarray]:
        row = np.array([place], np.float32)
        return {"proprio": row, "achieved_goal": row, "desired_goal": row + 100}

    for episode, lost in enumerate((1, None, None)):
        writer = ReplayWriter(tmp_path, spec)
        for step in range(3):
            place = 10 * episode + step
            writer.append(
                Transition(
                    observation(np.nan if step == lost else place),
                    np.zeros(1, np.float32),
                    None if step == 0 else float(place),
                    terminated=False,
                    truncated=step == 2,
                    episode=episode,
                    step=step,
                    final_observation=observation(place + 1) if step == 2 else None,
                    dt=0.05 * (step + 1),
                )
            )
        writer.close()
    steps = newest_steps(Replay(tmp_path), 100)
    assert sorted(steps.achieved[:, 0]) == [3, 11, 12, 13, 21, 22, 23]
    assert (steps.achieved == steps.before + 1).all()
    assert (steps.desired == steps.achieved + 100).all()
    np.testing.assert_array_equal(np.isnan(steps.reward), steps.before[:, 0] % 10 == 0)
    np.testing.assert_array_equal(steps.frames, 1 + steps.before[:, 0] % 10)
    assert list(newest_steps(Replay(tmp_path), 3).achieved[:, 0]) == [21, 22, 23]
