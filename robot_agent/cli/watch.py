"""`robot-agent watch`: a world live in a browser, or as a video."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium
import tyro
from rich.console import Console
from rich.progress import Progress

from robot_agent.agent import Agent, AgentState
from robot_agent.cli.body import body_factory, make_body
from robot_agent.cli.screen import Screen
from robot_agent.device import prepare_device
from robot_agent.drivers.driver import Driver, Listener
from robot_agent.drivers.returns import close_body
from robot_agent.errors import BodyError, RobotAgentError
from robot_agent.evaluation.evaluate import EVALUATION_SEED
from robot_agent.evaluation.filming import picture_of
from robot_agent.loop import Loop
from robot_agent.run.bounds import POSITIVE, SEED, Bounds, check_numbers
from robot_agent.run.config import RunConfig
from robot_agent.run.folder import RunFolder
from robot_agent.run.load import load_agent, load_config
from robot_agent.run.video import VideoWriter
from robot_agent.types import BodySpec, Transition

RANDOM = "random"
LONGEST_VIDEO = 3_600.0
"""Seconds of the world's time."""
VIDEO_SECONDS = 10.0
"""That a video lasts if nothing else is asked for."""


@dataclass(frozen=True)
class WatchCommand:
    """Shows a world live in a browser on this machine, in real time, or writes a video of it.

    Nothing is learned and nothing is kept. Ctrl-C ends the show.
    """

    world: str | None = None
    """A name that `robot-agent worlds` lists; the run's own if not given."""

    policy: str = RANDOM
    """Who acts: `random`, or the folder of a run, whose agent acts without exploring."""

    body: Path | None = None
    """A calibration.yaml: the arm is as it was measured there; the run's own if not given."""

    opponent: str | None = None
    """In worlds with one, who: `scripted`, `random`, `still`, or the folder of a run; by default the run's own."""

    out: Path | None = None
    """Write an mp4 here, as fast as it can be made, and open no page."""

    port: int = 8008
    """Of the page; 0 for any that is free."""

    seconds: float | None = None
    """Of the world's time; without it a show goes on until Ctrl-C and a video lasts 10 s."""

    seed: int = 0
    """Of the episodes and of random actions."""


def parse(argv: Sequence[str]) -> WatchCommand:
    """The command line as a config; raises SystemExit on flags that there are not."""
    return tyro.cli(WatchCommand, args=list(argv), prog="robot-agent watch")


def run(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    command = parse(argv)
    _check(command)
    config = _config(command)
    device = prepare_device("auto")
    body = _body(command, config)
    try:
        if body.render_mode != "rgb_array":
            raise BodyError(f"the world {config.world} has no pictures to show: choose one that can be rendered")
        spec = BodySpec.from_env(body)
        if command.policy == RANDOM:
            agent = Agent(spec, seed=command.seed)  # one that has not learned anything acts at random
        else:
            agent = load_agent(Path(command.policy), spec, device)[0]
        if command.out is None:
            _show(agent, body, config.world, command)
        else:
            _film(agent, body, config.world, command, command.out)
    finally:
        close_body(body)
    return 0


def _check(command: WatchCommand) -> None:
    if command.world is None and command.policy == RANDOM:
        raise RobotAgentError("there is nothing to watch: give a --world, or the folder of a run as --policy")
    check_numbers(command, {"seconds": POSITIVE, "port": Bounds(0, 65_535), "seed": SEED}, "--")
    if command.out is None:
        return
    if command.seconds is not None and command.seconds > LONGEST_VIDEO:
        raise RobotAgentError(f"--seconds is {command.seconds:g}, expected at most {LONGEST_VIDEO:g} for a video")
    if command.out.suffix != ".mp4" or command.out.is_dir():
        raise RobotAgentError(f"--out is {command.out}, expected the name of a file that ends with .mp4")


def _config(command: WatchCommand) -> RunConfig:
    """What decides how the world is built: the run's own configuration where a run acts."""
    if command.policy == RANDOM:
        config = RunConfig()
    else:
        folder = Path(command.policy)
        if not folder.exists():
            raise RobotAgentError(f"--policy is {command.policy}, expected {RANDOM} or the folder of a run")
        config = load_config(RunFolder.open(folder))
    if command.body:
        config = replace(config, body=str(command.body), randomise_body=False)
    if command.opponent:
        config = replace(config, opponent=command.opponent)
    return replace(config, world=command.world) if command.world else config


def _body(command: WatchCommand, config: RunConfig) -> gymnasium.Env[Any, Any]:
    if command.policy == RANDOM:  # which looks at nothing, so the world's own streams will do
        return make_body(config.world, config.opponent, body=config.body)
    return body_factory(config)()


def _driver(agent: Agent, body: gymnasium.Env[Any, Any], listener: Listener, seed: int) -> Driver:
    return Driver(Loop(agent, explore=False), {"agent": body}, [listener], seed=EVALUATION_SEED + seed)


def _decisions(seconds: float, spec: BodySpec) -> int:
    return max(1, round(seconds / spec.control_dt))


# ---- live ----


def _show(agent: Agent, body: gymnasium.Env[Any, Any], world: str, command: WatchCommand) -> None:
    most = math.inf if command.seconds is None else _decisions(command.seconds, agent.spec)
    with Screen(f"{world}, {command.policy}", command.port) as screen:
        driver = _driver(agent, body, _Live(body, screen, agent.spec.control_dt), command.seed)
        print(f"{world} is at {screen.url} (Ctrl-C ends it)", flush=True)
        start = time.perf_counter()
        with suppress(KeyboardInterrupt):
            driver.run(lambda life: life.decisions >= most)
        took = time.perf_counter() - start
    print(f"{driver.decisions * agent.spec.control_dt:.1f} s of {world} in {took:.1f} s")


class _Live(Listener):
    """Shows each step, and waits until it is over in real time too.

    A step that took longer than its time is not caught up with: the world runs slower then, never faster.
    """

    def __init__(self, body: gymnasium.Env[Any, Any], screen: Screen, control_dt: float) -> None:
        self.body, self.screen, self.control_dt = body, screen, control_dt
        self._due = time.perf_counter()

    def on_step(self, transition: Transition, state: AgentState) -> None:
        self.screen.show(picture_of(self.body))
        now = time.perf_counter()
        self._due = max(self._due + self.control_dt, now)
        time.sleep(self._due - now)


# ---- a video ----


def _film(agent: Agent, body: gymnasium.Env[Any, Any], world: str, command: WatchCommand, out: Path) -> None:
    seconds = VIDEO_SECONDS if command.seconds is None else command.seconds
    wanted = _decisions(seconds, agent.spec)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RobotAgentError(f"cannot write {out} ({error.strerror}): choose another --out") from error
    with (
        Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar,
        VideoWriter(out, fps=max(1, round(1 / agent.spec.control_dt))) as video,
    ):
        task = bar.add_task("filming", total=wanted)
        camera = _Camera(body, video, lambda done: bar.update(task, completed=done))
        _driver(agent, body, camera, command.seed).run(lambda life: life.decisions >= wanted)
    print(f"{wanted * agent.spec.control_dt:.1f} s of {world} in {out}")


class _Camera(Listener):
    """Films each step."""

    def __init__(self, body: gymnasium.Env[Any, Any], video: VideoWriter, on_picture: Callable[[int], None]) -> None:
        self.body, self.video, self.on_picture = body, video, on_picture

    def on_step(self, transition: Transition, state: AgentState) -> None:
        self.video.write(picture_of(self.body))
        self.on_picture(self.video.written)
