"""What may be drawn from replay, as properties of any experience."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_agent.replay.replay import Replay, ReplayWriter
from robot_agent.replay.sampler import SamplerConfig, SequenceSampler
from tests.transitions import SPEC, episode, observation

HORIZON = 3
STACK = 3


def fill(
    folder: Path,
    lengths: list[int],
    cuts: frozenset[int] = frozenset(),
    bad: frozenset[int] = frozenset(),
    blown_up: frozenset[int] = frozenset(),
    fallen: frozenset[int] = frozenset(),
):
    """Episodes of these lengths; a new writer before each episode in `cuts`, a NaN in the middle of those in `bad`;
    those in `fallen` are terminated with -100, those in `blown_up` with an observation that is not finite as well."""
    writer = ReplayWriter(folder, SPEC)
    for number, length in enumerate(lengths):
        if number in cuts:
            writer.close()
            writer = ReplayWriter(folder, SPEC)
        steps = episode(number, length)
        if number in fallen:
            steps[-1] = replace(steps[-1], reward=-100.0, terminated=True, truncated=False)
        if number in blown_up:
            final = {**observation(number, length), "proprio": np.array([number, np.nan], np.float32)}
            steps[-1] = replace(steps[-1], reward=-100.0, terminated=True, truncated=False, final_observation=final)
        if number in bad:
            steps[length // 2] = replace(steps[length // 2], reward=float("nan"))
        for step in steps:
            writer.append(step)
    writer.close()


EPISODES = st.lists(st.integers(1, 12), min_size=1, max_size=6)
SOME = st.frozensets(st.integers(0, 5), max_size=4)


@given(EPISODES, SOME, SOME, SOME, SOME, st.integers(0, 1000))
def test_no_step_is_lost_however_short_its_stretch_and_however_its_episode_ended(
    lengths, cuts, bad, blown_up, fallen, seed
):
    """Windows of short stretches and of those that ended for good begin at each step, others at those after which the
    horizon is whole; the masks say what of a window was lived."""
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), lengths, cuts, bad, blown_up, fallen)
        sampler = SequenceSampler(Replay(Path(folder)), HORIZON, STACK)
        sampler.refresh()
        stretches = {}
        """(episode, first step) to its steps."""
        for number, length in enumerate(lengths):
            if number in bad:
                middle = length // 2
                stretches[number, 0] = middle - 1
                rest = length - middle - 1
                stretches[number, middle + 1] = rest
            else:
                stretches[number, 0] = length
        stretches = {start: steps for start, steps in stretches.items() if steps > 0}
        ended_for_good = blown_up | fallen

        def windows(number: int, first: int, steps: int) -> int:
            is_padded = steps < HORIZON or (number in ended_for_good and first + steps == lengths[number])
            return steps if is_padded else steps - HORIZON + 1

        starts = [
            (number, first + skipped)
            for (number, first), steps in stretches.items()
            for skipped in range(windows(number, first, steps))
        ]
        assert sampler.windows == len(starts)
        if not starts:
            with pytest.raises(ValueError, match="no sub-sequence"):
                sampler.sample(4, np.random.default_rng(seed))
            return
        rng = np.random.default_rng(seed)
        batch = sampler.sample(16, rng)
        for window in range(16):
            number, start = (int(value) for value in batch.proprio[window, 0])
            assert (number, start) in starts
            first = max(begin for other, begin in stretches if other == number and begin <= start)
            end = first + stretches[number, first]  # the step of the observation after the last action
            unseen = number in blown_up and end == lengths[number]
            steps = np.arange(start, start + HORIZON + 1)
            known = steps[:-1] < end
            seen = steps <= end - unseen
            assert batch.steps_known[window].tolist() == known.tolist()
            assert batch.observations_known[window].tolist() == seen.tolist()
            assert batch.proprio[window, :, 1].tolist() == np.minimum(steps, end - unseen).tolist()
            frames = np.clip(np.arange(start + 1 - STACK, start + HORIZON + 1), first, end - unseen)
            assert batch.cameras["main"][window, :, 0, 0, 0].tolist() == frames.tolist()
            assert batch.actions[window, :, 0].tolist() == (steps[:-1] * known).tolist()
            ended = known & (steps[:-1] == end - 1) & (number in ended_for_good and end == lengths[number])
            assert batch.terminated[window].tolist() == ended.tolist()
            assert batch.rewards[window].tolist() == np.where(ended, -100, steps[:-1] * known).tolist()
            assert batch.reward_known[window].tolist() == known.tolist()
            future = batch.future_achieved_goal[window]
            assert future[0] == number
            assert future[1] <= end - unseen
            assert future[1] > start or not seen[1]


@given(st.lists(st.integers(4, 10), min_size=2, max_size=5), st.frozensets(st.integers(1, 4)), st.integers(0, 99))
def test_what_is_drawn_does_not_depend_on_how_rows_are_cut_into_segments(lengths, cuts, seed):
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "one", lengths)
        fill(Path(folder) / "cut", lengths, cuts)
        drawn = []
        for name in ("one", "cut"):
            sampler = SequenceSampler(Replay(Path(folder) / name), HORIZON, STACK, SamplerConfig(episodes_per_batch=2))
            sampler.refresh()
            drawn.append(sampler.sample(8, np.random.default_rng(seed)))
        np.testing.assert_array_equal(drawn[0].proprio, drawn[1].proprio)
        np.testing.assert_array_equal(drawn[0].future_achieved_goal, drawn[1].future_achieved_goal)


@given(st.lists(st.integers(1, 7), min_size=1, max_size=30))
def test_indexing_row_by_row_is_indexing_at_once(pieces):
    """A sampler that looks while a writer writes ends up with the same windows as one that looks at the end."""
    steps = [
        step
        for number, length in enumerate([9, 2, 1, 9, 9, 1])
        for step in episode(number, length, terminated=number % 2 == 0)
    ]
    with tempfile.TemporaryDirectory() as folder:
        writer = ReplayWriter(Path(folder), SPEC)
        watching = SequenceSampler(Replay(Path(folder)), HORIZON)
        todo = iter(steps)
        for piece in pieces:
            for _ in range(piece):
                step = next(todo, None)
                if step is not None:
                    writer.append(step)
            watching.refresh()
        later = SequenceSampler(Replay(Path(folder)), HORIZON)
        later.refresh()
        assert watching.windows == later.windows
        if later.windows:
            drawn = [sampler.sample(32, np.random.default_rng(1)) for sampler in (watching, later)]
            np.testing.assert_array_equal(drawn[0].proprio, drawn[1].proprio)
            np.testing.assert_array_equal(drawn[0].steps_known, drawn[1].steps_known)


def test_a_batch_comes_from_few_episodes(tmp_path: Path):
    fill(tmp_path, [10] * 20)
    sampler = SequenceSampler(Replay(tmp_path), HORIZON, config=SamplerConfig(episodes_per_batch=4))
    sampler.refresh()
    batch = sampler.sample(32, np.random.default_rng(0))
    numbers, counts = np.unique(batch.proprio[:, 0, 0], return_counts=True)
    assert len(numbers) == 4
    assert (counts == 8).all()


def test_a_batch_of_short_episodes_holds_no_copies_while_there_are_others(tmp_path: Path):
    """Few of them would be few windows, again and again. Their share beside long ones stays."""
    fill(tmp_path, [10] * 20 + [1] * 80)
    sampler = SequenceSampler(Replay(tmp_path), HORIZON, config=SamplerConfig(episodes_per_batch=16))
    sampler.refresh()
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        numbers = sampler.sample(64, rng).proprio[:, 0, 0]
        short = numbers[numbers >= 20]
        assert np.unique(short, return_counts=True)[1].max(initial=0) <= 2
        shares.append(len(short) / 64)
    assert np.mean(shares) == pytest.approx(80 / (80 + 20 * 8), abs=0.08)


@pytest.mark.parametrize(("others", "share"), [(1, 1 / 2), (60, 12 / (12 + 60 * 2))])
def test_a_long_episode_is_drawn_by_its_length_among_many_and_as_often_as_any_among_few(
    tmp_path: Path, others: int, share: float
):
    """One episode of 12 sub-sequences beside others of 2."""
    fill(tmp_path, [HORIZON + 11] + [HORIZON + 1] * others)
    sampler = SequenceSampler(Replay(tmp_path), HORIZON, config=SamplerConfig(episodes_per_batch=2))
    sampler.refresh()
    rng = np.random.default_rng(0)
    drawn = np.concatenate([sampler.sample(2, rng).proprio[:, 0, 0] for _ in range(1500)])
    assert np.mean(drawn == 0) == pytest.approx(share, abs=0.02)


def test_an_end_is_seen_at_each_place_of_a_window(tmp_path: Path):
    """What comes of the last step is learned from the observation before it too, not from predictions of it alone."""
    writer = ReplayWriter(tmp_path, SPEC)
    for step in episode(0, HORIZON, terminated=True):
        writer.append(step)
    sampler = SequenceSampler(Replay(tmp_path), HORIZON)
    sampler.refresh()
    batch = sampler.sample(60, np.random.default_rng(0))
    ends = {tuple(window) for window in batch.terminated.tolist()}
    assert ends == {(False, False, True), (False, True, False), (True, False, False)}
    whole = batch.terminated[:, -1]
    assert batch.proprio[whole][0, :, 1].tolist() == [0, 1, 2, 3]
    assert batch.proprio[batch.terminated[:, 0]][0, :, 1].tolist() == [2, 3, 3, 3]


@given(st.integers(0, 40), st.frozensets(st.integers(1, 3)))
def test_a_capacity_leaves_only_windows_of_the_newest_rows(capacity, cuts):
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), [6, 9, 4, 8], cuts)
        sampler = SequenceSampler(Replay(Path(folder)), HORIZON, config=SamplerConfig(capacity=capacity))
        sampler.refresh()
        order = [(number, step) for number, length in enumerate([6, 9, 4, 8]) for step in range(length + 1)]
        newest = order[len(order) - min(capacity, len(order)) :]
        starts = {row for row in newest if (row[0], row[1] + HORIZON) in newest}
        assert sampler.windows == len(starts)
        if starts:
            batch = sampler.sample(400, np.random.default_rng(0))
            assert {(int(n), int(s)) for n, s in batch.proprio[:, 0]} == starts


def test_draws_do_not_depend_on_when_a_reader_looked_at_two_writers(tmp_path: Path):
    writers = [ReplayWriter(tmp_path, SPEC, agent_id=name) for name in "ab"]
    watching = SequenceSampler(Replay(tmp_path), HORIZON)
    for number in range(0, 8, 2):
        for left, right in zip(episode(number, 7), episode(number + 1, 7), strict=True):
            writers[0].append(replace(left, agent_id="a"))
            writers[1].append(replace(right, agent_id="b"))
            watching.refresh()
    later = SequenceSampler(Replay(tmp_path), HORIZON)
    later.refresh()
    drawn = [sampler.sample(32, np.random.default_rng(3)) for sampler in (watching, later)]
    np.testing.assert_array_equal(drawn[0].proprio, drawn[1].proprio)
    np.testing.assert_array_equal(drawn[0].segment, drawn[1].segment)


def test_every_blown_up_simulator_is_drawn(tmp_path: Path):
    """Ten terminations with -100 in an observation that is not finite, after one to ten steps."""
    fill(tmp_path, list(range(1, 11)), blown_up=frozenset(range(10)))
    sampler = SequenceSampler(Replay(tmp_path), HORIZON)
    sampler.refresh()
    batch = sampler.sample(2000, np.random.default_rng(0))
    ended = batch.terminated.any(1)
    assert set(batch.proprio[ended, 0, 0]) == set(range(10))
    assert (batch.rewards[batch.terminated] == -100).all()
    assert not batch.observations_known[ended].all(1).any()
    assert all(np.isfinite(numbers).all() for numbers in (batch.proprio, batch.achieved_goal, batch.desired_goal))


def test_an_episode_that_goes_on_is_not_drawn_as_a_short_one(tmp_path: Path):
    writer = ReplayWriter(tmp_path, SPEC)
    sampler = SequenceSampler(Replay(tmp_path), HORIZON)
    counts = []
    for step in episode(0, HORIZON + 1):
        writer.append(step)
        sampler.refresh()
        counts.append(sampler.windows)
    assert counts == [0, 0, 0, 2]  # the last step came with the observation after it
