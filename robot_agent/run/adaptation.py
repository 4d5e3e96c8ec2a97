"""A copy of a run learns in another body; the run itself stays as it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from robot_agent.drivers.returns import close_body
from robot_agent.errors import RunError
from robot_agent.learning.checkpoint import CheckpointStore
from robot_agent.replay.replay import Replay
from robot_agent.run.config import to_tree
from robot_agent.run.folder import RunFolder
from robot_agent.run.life import Life, MakeBody, Progress
from robot_agent.run.load import load_config
from robot_agent.types import BodySpec

_LEFT_BEHIND = (
    "videos",
    "tensorboard",
    "dumps",
    "weights.shared",
    ".lock",
    "*.html",
    "evaluation*.json",
    "checkpoints",
)


@dataclass(frozen=True)
class Adaptation:
    """A life that went on in another body.

    Attributes:
        run: the folder of the copy.
        steps: decisions of its checkpoints there, the last at the end.
        minutes: of experience in the other body at each of them.
        lived: for each episode there, the minute at its end and whether it succeeded, None where there is no success;
            it explored and learned meanwhile.
    """

    run: Path
    steps: tuple[int, ...]
    minutes: tuple[float, ...]
    lived: tuple[tuple[float, bool | None], ...]


def live_on(
    run: Path,
    copy: Path,
    make_body: MakeBody,
    minutes: float,
    stops: int = 5,
    on_progress: Callable[[Progress], None] | None = None,
) -> Adaptation:
    """A copy of a run, from its newest checkpoint, that acts and learns in another body with its own configuration.

    Args:
        run: the folder of the run.
        copy: where the copy goes; must not exist.
        make_body: builds the other body.
        minutes: of experience, counted in the body's own time.
        stops: checkpoints on the way, about as many, evenly; one is at the end.
        on_progress: called after each decision.

    Raises:
        RunError: `copy` exists, the disk is full, or the life was interrupted.
        CheckpointError: the run has no checkpoint, or is of a body of another shape.
    """
    if copy.exists():
        raise RunError(f"{copy} exists already: choose another folder")
    newest = CheckpointStore(RunFolder.open(run).checkpoints).load_latest()
    try:
        shutil.copytree(run, copy, ignore=shutil.ignore_patterns(*_LEFT_BEHIND))
        folder = RunFolder.open(copy)
        shutil.copytree(newest.path, folder.checkpoints / newest.path.name)
        folder.videos.mkdir()
    except (OSError, shutil.Error) as error:
        raise RunError(f"cannot copy {run} to {copy} ({error}): free some space") from error
    control_dt, frames = _rate(make_body)
    every = max(1, round(minutes * 60 / control_dt / stops))
    lived = Replay(folder.replay).lived
    start, start_frames = lived.decisions, lived.frames
    config = replace(load_config(folder), minutes=None, keep_checkpoints_every=every * frames)
    folder.write_config(to_tree(config))
    before = len(folder.read_metrics())
    budget = replace(config, frames=start_frames + stops * every * frames)
    summary = Life(copy, budget, make_body, resume=True, on_progress=on_progress).live()
    if summary["status"] == "interrupted":
        raise KeyboardInterrupt
    steps = CheckpointStore(folder.checkpoints).steps
    steps = [step for step in steps if step > start and (step % every == 0 or step == steps[-1])]
    episodes = [
        ((record["frames"] - start_frames) / frames * control_dt / 60, record.get("success"))
        for record in folder.read_metrics()[before:]
    ]
    return Adaptation(copy, tuple(steps), tuple((step - start) * control_dt / 60 for step in steps), tuple(episodes))


def _rate(make_body: MakeBody) -> tuple[float, int]:
    """Seconds of a decision, and the frames in it."""
    body = make_body()
    spec = BodySpec.from_env(body)
    close_body(body)
    return spec.control_dt, spec.frames_per_step
