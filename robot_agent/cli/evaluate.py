"""`robot-agent evaluate`: how good a run's agent is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import gymnasium
import numpy as np
import tyro
from rich.console import Console
from rich.progress import Progress

from robot_agent.cli.body import body_factory
from robot_agent.device import prepare_device
from robot_agent.drivers.returns import close_body
from robot_agent.errors import RobotAgentError
from robot_agent.evaluation.evaluate import LONGEST_EPISODE, evaluate
from robot_agent.evaluation.statistics import FEWEST_FOR_AN_INTERVAL, mean_interval, rate_interval, spoken, spoken_rate
from robot_agent.run.bounds import ANY_COUNT, POSITIVE_COUNT, SEED, check_numbers
from robot_agent.run.config import RunConfig
from robot_agent.run.folder import RunFolder
from robot_agent.run.life import Life
from robot_agent.run.load import load_agent, load_config
from robot_agent.run.video import write_video
from robot_agent.types import BodySpec


@dataclass(frozen=True)
class EvaluateCommand:
    """Lives some episodes with the agent of a run and prints mean, standard deviation and 95 % interval.

    Writes `evaluation.json`, an mp4 of an episode, and what the planner imagined against what happened.
    """

    run: tyro.conf.Positional[Path]
    """The run folder."""

    episodes: int = 10
    """How many episodes."""

    longest_episode: int = LONGEST_EPISODE
    """Decisions after which an episode is cut off: some worlds never end one."""

    learn: bool = False
    """Learn meanwhile: the run continues for these episodes, and they are kept in its replay."""

    seed: int | None = None
    """Of the episodes; the run's own if not given. They never begin as an episode of the life did."""

    world: str | None = None
    """Another world of the same shape."""

    body: Path | None = None
    """A calibration.yaml: the arm is as it was measured there; the run's own if not given."""

    opponent: str | None = None
    """In worlds with one, another opponent than the run's own: scripted, random, still, or the folder of a run."""

    chapter: int | None = None
    """Of a life: where the first episode begins, counted from 1. Without it, life begins with its first chapter."""

    chapter_step: int = 0
    """Of a life: at which step of that chapter. Later steps follow as in training."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the mind lives."""

    video: Annotated[bool, tyro.conf.arg(help_behavior_hint="(on)")] = True
    """Render the first episode."""


def parse(argv: Sequence[str]) -> EvaluateCommand:
    """The command line as a config; raises SystemExit on flags that there are not."""
    return tyro.cli(EvaluateCommand, args=list(argv), prog="robot-agent evaluate")


def run(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    command = parse(argv)
    at_least_one = dict.fromkeys(("episodes", "longest_episode"), POSITIVE_COUNT)
    check_numbers(command, {**at_least_one, "seed": SEED, "chapter": ANY_COUNT, "chapter_step": ANY_COUNT}, "--")
    differing = ("world", "body", "opponent", "chapter")
    given = [name for name in differing if getattr(command, name) is not None]
    if command.learn and given:
        raise RobotAgentError(f"--learn continues the run in its own world: leave --{given[0]} or --learn out")
    if command.chapter is None and command.chapter_step:
        raise RobotAgentError("--chapter-step is a step of a chapter of a life: give --chapter too")
    folder = RunFolder.open(command.run)
    config = load_config(folder)
    if command.world:
        config = replace(config, world=command.world)
    if command.body:
        config = replace(config, body=str(command.body), randomise_body=False)
    if command.opponent:
        config = replace(config, opponent=command.opponent)
    returns = _learn_on(command, config) if command.learn else None
    record = evaluate_run(folder, config, command, returns)
    print(f"return {spoken(record['returns'])} ({folder.evaluation(elsewhere(command))})")
    if record["cut_off"]:
        lived = f"{record['cut_off']} of {record['episodes']} episodes"
        print(f"cut off after {command.longest_episode} decisions, since they did not end: {lived}")
    if record["successes"]:
        print(f"success in {spoken_rate(record['successes'])}")
    return 0


def elsewhere(command: EvaluateCommand) -> str | None:
    """What an evaluation that is not of the run's own world, body, opponent and beginning is called."""
    step = f"-step-{command.chapter_step}" if command.chapter_step else ""
    parts = (
        command.world,
        command.body.stem if command.body else None,
        f"against-{Path(command.opponent).name}" if command.opponent else None,
        f"chapter-{command.chapter}{step}" if command.chapter is not None else None,
    )
    return "-".join(filter(None, parts)) or None


def _begin_chapter(body: gymnasium.Env[Any, Any], world: str, chapter: int, step: int) -> None:
    if not body.has_wrapper_attr("begin"):
        raise RobotAgentError(f"{world} is no life and has no chapters: leave --chapter out")
    try:
        body.get_wrapper_attr("begin")(chapter - 1, step)
    except ValueError as error:
        raise RobotAgentError(str(error)) from error


def _learn_on(command: EvaluateCommand, config: RunConfig) -> list[float]:
    endless = replace(config, frames=sys.maxsize, minutes=None, device=command.device)
    life = Life(command.run, endless, body_factory(config), resume=True, keep_budget=False)
    summary = life.live(episodes=command.episodes, decisions=command.episodes * command.longest_episode)
    if summary["status"] == "interrupted":
        raise KeyboardInterrupt
    return life.returns


def evaluate_run(
    folder: RunFolder, config: RunConfig, command: EvaluateCommand, learned: list[float] | None
) -> dict[str, Any]:
    """Evaluates and writes `evaluation.json`, `videos/evaluation.mp4` and `imagination.npz`."""
    body = body_factory(config)()
    if command.chapter is not None:
        _begin_chapter(body, config.world, command.chapter, command.chapter_step)
    agent, _, checkpoint = load_agent(folder.path, BodySpec.from_env(body), prepare_device(command.device))
    episodes = 1 if learned else command.episodes
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("evaluating", total=episodes)
        result = evaluate(
            agent,
            body,
            episodes,
            seed=config.seed if command.seed is None else command.seed,
            render=command.video,
            on_episode=lambda done: bar.update(task, completed=done),
            longest_episode=command.longest_episode,
        )
    close_body(body)
    returns = learned or result.returns
    successes = [] if learned else result.successes  # of the episodes that were learned from, nobody kept them
    video = None
    if len(result.video):
        video = folder.videos / f"{folder.evaluation(elsewhere(command)).stem}.mp4"
        seconds = agent.spec.control_dt
        write_video(video, result.video, fps=max(1, round(1 / seconds)))
    if result.imagination is not None and not elsewhere(command):
        np.savez_compressed(folder.path / "imagination.npz", **vars(result.imagination))
    record = {
        "world": config.world,
        "streams": list(config.streams),
        "episodes": len(returns),
        "returns": returns,
        "return_mean": float(np.mean(returns)),
        "return_std": float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0,
        "interval_95": list(mean_interval(returns)) if len(returns) >= FEWEST_FOR_AN_INTERVAL else None,
        "successes": successes,
        "success_rate": float(np.mean(successes)) if successes else None,
        "success_interval_95": list(rate_interval(successes)) if successes else None,
        "chapter": command.chapter,
        "opponent": config.opponent,
        "frames": checkpoint.state["frames"],
        "learn": command.learn,
        "cut_off": result.cut_off,
        "decision_ms_p50": float(np.percentile(result.decision_ms, 50)),
        "decision_ms_p99": float(np.percentile(result.decision_ms, 99)),
        "retrieval": result.retrieval,
        "video": str(video.relative_to(folder.path)) if video else None,
    }
    folder.write_evaluation(record, elsewhere(command))
    return record
