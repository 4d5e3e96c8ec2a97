"""Opening a replay: closed segments by their summaries, and what is the same whether there is one or not."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from robot_agent.replay.replay import Address, Replay, ReplayWriter
from robot_agent.replay.sampler import SequenceSampler
from robot_agent.replay.segment import FRAMES_FILE, PREFIX, ROWS_FILE
from robot_agent.replay.summary import SUMMARY_FILE
from robot_agent.types import GoalKind, Transition
from tests.transitions import SPEC, episode, observation
from tests.unit.replay.test_sampler import fill

SOME = st.frozensets(st.integers(0, 5), max_size=3)


def facts(folder: Path) -> tuple[object, ...]:
    replay = Replay(folder)
    sampler = SequenceSampler(replay, horizon=3)
    sampler.refresh()
    drawn = sampler.sample(16, np.random.default_rng(0)) if sampler.windows else None
    return (
        (replay.rows, replay.decisions, replay.lived, replay.given, replay.quarantined),
        (replay.episodes, replay.next_episode, sampler.windows),
        [] if drawn is None else [drawn.proprio.tolist(), drawn.steps_known.tolist(), drawn.index.tolist()],
    )


@given(st.lists(st.integers(1, 8), min_size=1, max_size=6), SOME, SOME, SOME)
def test_a_summary_says_what_the_rows_say(lengths, cuts, bad, fallen):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, lengths, cuts, bad, fallen=fallen)
        assert len(list(folder.glob(f"{PREFIX}*/{SUMMARY_FILE}"))) == len(list(folder.glob(PREFIX + "*")))
        closed = facts(folder)
        for path in folder.glob(f"{PREFIX}*/{SUMMARY_FILE}"):
            path.unlink()
        assert facts(folder) == closed


def test_a_summary_that_is_damaged_or_of_a_longer_file_is_not_believed(tmp_path: Path):
    for name in ("damaged", "cut"):
        fill(tmp_path / name, [5, 5])
    summary = next((tmp_path / "damaged").glob(f"{PREFIX}*/{SUMMARY_FILE}"))
    summary.write_bytes(summary.read_bytes()[:50])
    assert Replay(tmp_path / "damaged").rows == 12
    rows = next((tmp_path / "cut").glob(f"{PREFIX}*/{ROWS_FILE}"))
    with rows.open("r+b") as file:
        file.truncate(rows.stat().st_size - 1)
    sampler = SequenceSampler(Replay(tmp_path / "cut"), horizon=3)
    sampler.refresh()
    assert (sampler.replay.rows, sampler.windows) == (11, 5)


def test_opening_a_closed_segment_reads_none_of_its_rows(tmp_path: Path):
    fill(tmp_path, [5, 5])
    folder = next(tmp_path.glob(PREFIX + "*"))
    for name in (ROWS_FILE, FRAMES_FILE):
        size = (folder / name).stat().st_size
        with (folder / name).open("wb") as file:
            file.truncate(size)  # a hole: whoever reads it finds zeros
    replay, sampler = Replay(tmp_path), SequenceSampler(Replay(tmp_path), horizon=3)
    sampler.refresh()
    assert (replay.rows, replay.decisions, replay.next_episode, sampler.windows) == (12, 10, 2, 6)


def test_rows_without_their_frames_are_not_there(tmp_path: Path):
    """A power cut may leave a file shorter than the other."""
    writer = ReplayWriter(tmp_path, SPEC)
    for step in episode(0, 5, ended=False):
        writer.append(step)
    frames = next(tmp_path.glob(f"{PREFIX}*/{FRAMES_FILE}"))
    with frames.open("r+b") as file:
        file.truncate(frames.stat().st_size - 1)
    assert Replay(tmp_path).rows == 4


def test_stretches_that_were_let_go_are_drawn_no_more_and_say_so(tmp_path: Path):
    fill(tmp_path, [6, 6, 6], cuts=frozenset({1, 2}))
    sampler = SequenceSampler(Replay(tmp_path), horizon=3)
    sampler.refresh()
    assert sampler.windows == 12
    shutil.rmtree(tmp_path / f"{PREFIX}000001")
    sampler.refresh()
    assert sampler.windows == 8
    assert set(sampler.sample(64, np.random.default_rng(0)).segment) == {0, 2}
    assert sampler.replay.read(Address(2, 0))["episode"] == 2


def test_what_later_modules_keep_comes_back(tmp_path: Path):
    writer = ReplayWriter(tmp_path, SPEC)
    plain = writer.append(episode(0, 2)[0])
    more = {"streams_known": (False, True), "action_known": False, "skill": 3, "marked": True}
    goal = {"goal_kind": GoalKind.ADDRESS, "goal_address": plain}
    rich = writer.append(
        Transition(observation(0, 1), np.zeros(1, np.float32), None, False, False, 0, 1, **more, **goal)
    )
    replay = Replay(tmp_path)
    names = ("streams_known", "action_known", "skill", "marked", "goal_kind", "goal_address")
    told = [[replay.read(address)[name].tolist() for name in names] for address in (plain, rich)]
    assert told == [[[True, True], True, -1, False, 0, [-1, -1]], [[False, True], False, 3, True, 1, list(plain)]]
