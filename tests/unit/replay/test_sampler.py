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
from tests.transitions import SPEC, episode

HORIZON = 3
STACK = 3


def fill(folder: Path, lengths: list[int], cuts: frozenset[int] = frozenset(), bad: frozenset[int] = frozenset()):
    """Episodes of these lengths; a new writer before each episode in `cuts`, a NaN in the middle of those in `bad`."""
    writer = ReplayWriter(folder, SPEC)
    for number, length in enumerate(lengths):
        if number in cuts:
            writer.close()
            writer = ReplayWriter(folder, SPEC)
        steps = episode(number, length)
        if number in bad:
            steps[length // 2] = replace(steps[length // 2], reward=float("nan"))
        for step in steps:
            writer.append(step)
    writer.close()


@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    cuts=st.frozensets(st.integers(1, 5), max_size=3),
    bad=st.frozensets(st.integers(0, 5), max_size=2),
    seed=st.integers(0, 1000),
)
def test_windows_are_consecutive_steps_of_one_episode_without_quarantined_rows(lengths, cuts, bad, seed):
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), lengths, cuts, bad)
        sampler = SequenceSampler(Replay(Path(folder)), HORIZON, STACK)
        sampler.refresh()
        whole = [max(0, length + 1 - HORIZON) for number, length in enumerate(lengths) if number not in bad]
        parts = [
            max(0, part - HORIZON)
            for number, length in enumerate(lengths)
            if number in bad
            for part in (length // 2, length - length // 2)
        ]
        assert sampler.windows == sum(whole) + sum(parts)
        if not sampler.windows:
            with pytest.raises(ValueError, match="live on"):
                sampler.sample(4, np.random.default_rng(seed))
            return
        batch = sampler.sample(16, np.random.default_rng(seed))
        numbers, steps = batch.proprio[..., 0], batch.proprio[..., 1]
        assert (numbers == numbers[:, :1]).all()
        assert (np.diff(steps, axis=1) == 1).all()
        assert (batch.actions[..., 0] == steps[:, :-1]).all()
        assert (batch.rewards == steps[:, :-1]).all()
        assert batch.reward_known.all()
        assert (batch.future_achieved_goal[:, 0] == numbers[:, 0]).all()
        assert (batch.future_achieved_goal[:, 1] > steps[:, 0]).all()
        for number in bad & set(range(len(lengths))):
            middle = lengths[number] // 2
            mine = numbers[:, 0] == number
            assert not (steps[mine] == middle).any()
        if not bad:
            wanted = np.maximum(steps[:, :1] + np.arange(1 - STACK, 1), 0)
            assert (batch.cameras["main"][:, :STACK, 0, 0, 0] == wanted).all()


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
    steps = [step for number in range(4) for step in episode(number, 9)]
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
        np.testing.assert_array_equal(watching._runs[watching._runs[:, 2] > 0], later._runs[later._runs[:, 2] > 0])


def test_a_batch_comes_from_few_episodes(tmp_path: Path):
    fill(tmp_path, [10] * 20)
    sampler = SequenceSampler(Replay(tmp_path), HORIZON, config=SamplerConfig(episodes_per_batch=4))
    sampler.refresh()
    batch = sampler.sample(32, np.random.default_rng(0))
    numbers, counts = np.unique(batch.proprio[:, 0, 0], return_counts=True)
    assert len(numbers) == 4
    assert (counts == 8).all()


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


def test_the_last_window_holds_the_final_observation_and_the_termination(tmp_path: Path):
    writer = ReplayWriter(tmp_path, SPEC)
    for step in episode(0, HORIZON, terminated=True):
        writer.append(step)
    sampler = SequenceSampler(Replay(tmp_path), HORIZON)
    sampler.refresh()
    batch = sampler.sample(1, np.random.default_rng(0))
    assert batch.proprio[0, :, 1].tolist() == [0, 1, 2, 3]
    assert batch.terminated[0].tolist() == [False, False, True]


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
