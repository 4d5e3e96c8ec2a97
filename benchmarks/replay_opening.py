"""How much of a long life is read to open its replay: 1,000,000 rows with a 64x64 camera.

    python benchmarks/replay_opening.py
    python benchmarks/replay_opening.py --summary

The life is written as a writer leaves it, in segments of 256 MB, but for the frames, which are holes in their files:
none is read. A process of its own then opens it and asks what a resumed life asks: where it stands, and what can be
drawn. Counted are the bytes that it read and the pages of files that it mapped into memory meanwhile.
Row A5 of `results/seams_summary.csv`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from summary import print_summary, write_rows

from robot_agent.replay.columns import COMMITTED, frames_dtype, numbers_dtype
from robot_agent.replay.replay import ReplayConfig
from robot_agent.replay.schema import Lived, SegmentSchema, write_schema
from robot_agent.replay.segment import FRAMES_FILE, PREFIX, ROWS_FILE
from robot_agent.replay.summary import Summary
from robot_agent.types import BodySpec

RESULTS = Path(__file__).parent / "results"
SPEC = BodySpec((("main", (64, 64)),), proprio_dim=6, action_dim=3)
EPISODE = 1000
"""Rows of an episode, its last observation included."""
OPEN = """
import json, sys
from pathlib import Path
from robot_agent.replay.replay import Replay
from robot_agent.replay.sampler import SequenceSampler

def read():
    counted = dict(line.split(":") for line in Path("/proc/self/io").read_text().splitlines())
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(counted["rchar"]) + 1024 * int(status["RssFile"].split()[0])

def open_all(folder):
    replay = Replay(folder)
    sampler = SequenceSampler(replay, horizon=3)
    sampler.refresh()
    return [replay.rows, *replay.lived, replay.quarantined, replay.next_episode, sampler.windows]

small, large = map(Path, sys.argv[1:])
open_all(small)  # what is imported at the first use is no part of it
before = read()
found = open_all(large)
print(json.dumps([read() - before, *found]))
"""


@dataclass(frozen=True)
class Benchmark:
    """How long a life."""

    rows: int = 1_000_000
    """Of the life, last observations of episodes included."""

    summary: bool = False
    """Print the summary of what was measured, and measure nothing."""

    out: Path = RESULTS / "seams_summary.csv"
    """The summary that row A5 goes to."""


def write_life(replay: Path, rows: int) -> None:
    """Segments as a life leaves them; `rows` is a multiple of an episode's."""
    row_bytes = numbers_dtype(SPEC).itemsize + frames_dtype(SPEC).itemsize
    a_segment = int(np.ceil(ReplayConfig().segment_megabytes * 1e6 / row_bytes / EPISODE)) * EPISODE
    lived = Lived()
    for number, begin in enumerate(range(0, rows, a_segment)):
        index = np.arange(begin, min(begin + a_segment, rows))
        content = np.zeros(len(index), numbers_dtype(SPEC))
        content["episode"], content["step"] = np.divmod(index, EPISODE)
        content["is_final"] = content["step"] == EPISODE - 1
        content["truncated"] = content["step"] == EPISODE - 2
        content["valid"], content["dt"], content["committed"] = True, SPEC.control_dt, COMMITTED
        folder = replay / f"{PREFIX}{number:06d}"
        folder.mkdir(parents=True)
        write_schema(folder, SegmentSchema.of(SPEC, "agent", "agent", lived))
        content.tofile(folder / ROWS_FILE)
        with (folder / FRAMES_FILE).open("wb") as file:
            file.truncate(len(index) * frames_dtype(SPEC).itemsize)
        summary = Summary.of(content, SPEC)
        summary.write(folder)
        lived = lived.plus(summary.lived)


def measure(rows: int) -> float:
    """Megabytes that opening a life of so many rows reads."""
    with tempfile.TemporaryDirectory() as scratch:
        small, large = Path(scratch) / "small", Path(scratch) / "large"
        write_life(small, EPISODE)
        write_life(large, rows)
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", OPEN, str(small), str(large)], check=True, capture_output=True, text=True
        )
        count, *found = json.loads(done.stdout)
        episodes = rows // EPISODE
        decisions = rows - episodes
        if found != [rows, decisions, decisions, episodes, 0, episodes, rows - 3 * episodes]:
            raise SystemExit(f"the life was not found as it was written: {found}")
        print(
            f"{rows} rows: {count / 1e6:.2f} MB read, {time.perf_counter() - begun:.1f} s with the interpreter's start"
        )
    return count / 1e6


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and writes the row."""
    benchmark = tyro.cli(Benchmark, args=argv)
    if not benchmark.summary:
        megabytes = round(measure(benchmark.rows), 2)
        write_rows(
            benchmark.out, [{"row": "A5", "value": megabytes, "n": 1, "better": "lower", "floor": 100, "goal": 20}]
        )
    print_summary(benchmark.out)


if __name__ == "__main__":
    main()
