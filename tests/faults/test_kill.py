"""SIGKILL at random moments: no acknowledged transition is lost, the newest checkpoint loads, the run goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from robot_agent.learning.checkpoint import CheckpointStore
from robot_agent.replay.replay import Replay

ROOT = Path(__file__).parents[2]
PATHS = ":".join(str(ROOT / part) for part in (".", "kernels", "sim"))

WRITER = """
import sys
from pathlib import Path
from robot_agent.replay.replay import ReplayWriter
from tests.transitions import SPEC, episode
writer = ReplayWriter(Path(sys.argv[1]), SPEC)
number = int(sys.argv[2])
while True:
    for step in episode(number, 50):
        address = writer.append(step)
        print(address.segment, address.index, number, step.step, flush=True)
    number += 1000
"""

LIFE = """
import sys
from dataclasses import replace
from pathlib import Path
from robot_agent.run.life import Life
from tests.small import ONLINE, run_config
from tests.worlds import PointMass
config = run_config(frames=10**9, checkpoint_minutes=0.004, online=replace(ONLINE, random_decisions=40))
life = Life(Path(sys.argv[1]), config, PointMass, resume=sys.argv[2] == "resume")
append = life.replay.append
def acknowledge(transition):
    address = append(transition)
    print(life.decisions + 1, flush=True)
    return address
life.replay.append = acknowledge
life.live()
"""


def start(code: str, *args: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": PATHS}
    return subprocess.Popen(
        [sys.executable, "-c", code, *args], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def killed_after(process: subprocess.Popen[str], lines: int) -> list[str]:
    """What the process said until it was killed, some time after so many lines; the last line may be torn."""
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if len(said) == lines:
            process.send_signal(signal.SIGKILL)
    process.communicate()
    return [line for line in said if line.endswith("\n")]


def test_no_acknowledged_transition_is_lost_in_20_kills(tmp_path: Path):
    rng = random.Random(0)
    acknowledged = []
    for attempt in range(20):
        process = start(WRITER, str(tmp_path), str(attempt))
        acknowledged += killed_after(process, rng.randrange(1, 400))
    assert len(acknowledged) > 1000
    replay = Replay(tmp_path)
    assert len(replay.segments) == 20
    for line in acknowledged:
        segment, index, number, step = map(int, line.split())
        row = replay.segments[segment].rows[index]
        assert (row["episode"], row["step"]) == (number, step)
        assert row["proprio"].tolist() == [number, step]
        assert row["valid"]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
def test_a_killed_life_goes_on_where_its_replay_ends(tmp_path: Path, kills: int):
    rng = random.Random(1)
    run = tmp_path / "run"
    decisions = 0
    for attempt in range(kills):
        process = start(LIFE, str(run), "resume" if attempt else "new")
        said = killed_after(process, rng.randrange(80, 160))
        last = int(said[-1])
        assert last > decisions
        decisions = Replay(run / "replay").decisions
        assert decisions >= last
        assert CheckpointStore(run / "checkpoints").load_latest().step <= decisions
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    episodes = [record["episode"] for record in records]
    assert episodes == sorted(episodes)


def test_ctrl_c_finishes_the_step_writes_a_checkpoint_and_says_so(tmp_path: Path):
    run = tmp_path / "run"
    code = "import sys; from robot_agent.cli.main import main; sys.exit(main(sys.argv[1:]))"
    argv = ["train", "--world", "dmc/cartpole-swingup", "--out", str(run), "--deterministic"]
    process = start(code, *argv, "--online.random-decisions", "5000")
    metrics = run / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.exists() and metrics.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"robot-agent train --resume {run}" in out
    checkpoint = CheckpointStore(run / "checkpoints").load_latest()
    assert checkpoint.step == Replay(run / "replay").decisions
    assert json.loads((run / "summary.json").read_text())["status"] == "interrupted"
