"""Lives in a foreign environment, and what replay holds of it against what it truly was."""

from __future__ import annotations

import json
import re
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from robot_agent_sim.errors import WorldError
from robot_agent_sim.gymnasium_env import adapt

from robot_agent.agent import Agent
from robot_agent.errors import RobotAgentError
from robot_agent.evaluation.evaluate import evaluate
from robot_agent.replay.replay import Replay
from robot_agent.report import write_report
from robot_agent.run.folder import RunFolder
from robot_agent.run.life import Life
from robot_agent.run.video import write_video
from robot_agent.types import BodySpec
from tests.foreign.world import SIZE, Frame, Kind, World
from tests.small import AGENT, run_config

FRAMES = 30
"""Of a life."""
MOST_DECISIONS = 12
"""Of an episode of an evaluation."""
MOST_FAULTS = 5
"""That are told of a kind."""

Adapt = Callable[..., gymnasium.Env[Any, Any]]


@dataclass(frozen=True)
class Verdict:
    """What became of a kind.

    Attributes:
        name, group: of the kind.
        outcome: `lived`, or `refused` in a sentence.
        sentence: of the refusal, or the first warning.
        fault: empty if all is well; else the traceback's last line, or what was corrupted.
    """

    name: str
    group: str
    outcome: str
    sentence: str
    fault: str


@dataclass(frozen=True)
class Step:
    """A decision as it truly was."""

    before: Frame
    after: Frame
    actions: Sequence[NDArray[Any]]
    reward: float
    over: bool


def judge(kind: Kind, folder: Path, adapt: Adapt = adapt) -> Verdict:
    """Lives in a world of a kind, evaluates in another one, and compares.

    Args:
        kind: of the world.
        folder: for the run; must not exist.
        adapt: what brings it to the common form.
    """
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            faults = list(_lived(kind, folder, adapt))
            outcome, sentence = "lived", ""
        except (RobotAgentError, WorldError, _Refused) as error:
            faults, outcome, sentence = [], "refused", str(error)
        except Exception as error:
            faults, outcome, sentence = [traceback.format_exception_only(error)[-1].strip()], "traceback", ""
    texts = [str(warning.message) for warning in warned if issubclass(warning.category, UserWarning)]
    faults += _unexpected(kind, outcome, sentence, texts)
    different = list(dict.fromkeys(faults))[:MOST_FAULTS]
    return Verdict(kind.name, kind.group, outcome, sentence or "; ".join(texts[:1]), "; ".join(different))


class _Refused(Exception):
    """`adapt` refused in a sentence, as a ValueError, which the command line shows."""


def _unexpected(kind: Kind, outcome: str, sentence: str, warned: Sequence[str]) -> Iterator[str]:
    if outcome == "traceback":
        return
    if (outcome == "refused") != (kind.refused is not None):
        yield f"was {outcome}: {sentence}"
    elif kind.refused and not re.search(kind.refused, sentence):
        yield f"was refused for another reason: {sentence}"
    if "\n" in sentence or len(sentence) > 600:
        yield "the refusal is no sentence"
    if kind.warned and not any(re.search(kind.warned, text) for text in warned):
        yield f"did not warn of {kind.warned}"
    if not kind.warned and warned and not kind.refused:
        yield f"warned without need: {warned[0]}"


def _lived(kind: Kind, folder: Path, adapt: Adapt) -> Iterator[str]:
    worlds: list[World] = []

    def make_body() -> gymnasium.Env[Any, Any]:
        worlds.append(kind.world())
        if not kind.is_adapted:
            return worlds[-1]
        try:
            return adapt(worlds[-1], kind.streams, (SIZE, SIZE), kind.repeat)
        except ValueError as error:
            raise _Refused(str(error)) from error

    config = run_config(frames=FRAMES)
    summary = Life(folder, config, make_body).live()
    steps = list(_true_steps(kind, worlds[0]))
    segments = Replay(folder / "replay").segments
    rows = np.concatenate([segment.read() for segment in segments.values()])
    yield from _compared(kind, steps, rows)
    if summary["frames"] != sum(len(step.actions) for step in steps):
        yield f"{summary['frames']} frames counted, {sum(len(step.actions) for step in steps)} lived"
    if json.loads((folder / "summary.json").read_text())["status"] != "finished":
        yield "no summary"
    if kind.is_reported:
        write_report([folder], folder / "report.html")
    ended = sum(step.over for step in steps)
    if len(RunFolder.open(folder).read_metrics()) != ended:
        yield "metrics do not have a line an episode"
    yield from _evaluated(kind, make_body(), worlds[-1], folder)


def _evaluated(kind: Kind, body: gymnasium.Env[Any, Any], world: World, folder: Path) -> Iterator[str]:
    agent = Agent(BodySpec.from_env(body), AGENT)
    result = evaluate(agent, body, 2, longest_episode=MOST_DECISIONS)
    steps = list(_true_steps(kind, world, MOST_DECISIONS))
    if not kind.render:
        return
    first = next((index for index, step in enumerate(steps) if step.over), len(steps) - 1)
    pictures = np.stack([kind.rendered(step.after) for step in steps[: min(first + 1, MOST_DECISIONS)]])
    if not np.array_equal(result.video, pictures):
        yield f"the video shows {result.video.shape}, not the {pictures.shape} that were rendered"
    write_video(folder / "videos" / "evaluation.mp4", result.video, fps=10)


def _true_steps(kind: Kind, world: World, most: int | None = None) -> Iterator[Step]:
    """The decisions that the frames of a world were."""
    before: Frame | None = None
    actions: list[NDArray[Any]] = []
    reward, decisions = 0.0, 0
    for action, frame in world.events:
        if action is None:
            before, actions, reward, decisions = frame, [], 0.0, 0
            continue
        assert before is not None
        actions.append(action)
        reward += kind.reward_meant(frame.reward)
        over = frame.number >= kind.length
        if over or len(actions) == kind.repeat:
            decisions += 1
            yield Step(before, frame, actions, reward, over or decisions == most)
            before, actions, reward = frame, [], 0.0


def _compared(kind: Kind, steps: Sequence[Step], rows: NDArray[np.void]) -> Iterator[str]:
    """What of the rows is not as it truly was."""
    expected = sum(1 + step.over for step in steps)
    if len(rows) != expected:
        yield f"{len(rows)} rows kept, {expected} happened"
        return
    index = 0
    for step in steps:
        row = rows[index]
        yield from _same(kind, row, step.before, "")
        if not np.array_equal(row["reward"], np.asarray(step.reward, row["reward"].dtype), equal_nan=True):
            yield f"reward {row['reward']} kept, {step.reward} given"
        if (bool(row["terminated"]), bool(row["truncated"])) != (False, step.over):
            yield "the end of an episode is not as it was"
        if not np.isclose(row["dt"], kind.control_dt * len(step.actions), rtol=1e-5):
            yield f"a decision of {kind.control_dt * len(step.actions):g} s lasted {row['dt']:g} s"
        for action in step.actions:
            if action.shape != kind.actions.shape or not np.allclose(action, kind.native(row["action"]), atol=1e-5):
                yield f"the action {row['action'].tolist()} became {action.tolist()}"
        index += 1
        if step.over:
            yield from _same(kind, rows[index], step.after, "final ")
            index += 1


def _same(kind: Kind, row: NDArray[np.void], frame: Frame, which: str) -> Iterator[str]:
    for name, value in kind.meant(frame).items():
        if not np.array_equal(row[name], np.asarray(value, row[name].dtype), equal_nan=row[name].dtype.kind == "f"):
            yield f"the {which}{name} is not what it was"
    if not kind.valid(frame) and bool(row["valid"]) and not which:
        yield "a row that is not finite counts as good"
