"""`robot-agent ros up`: a robot's nodes as processes, without `ros2 launch`."""

from __future__ import annotations

import math
import select
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tyro
from robot_agent_ros.errors import NodeError
from robot_agent_ros.robots import Start, starts

from robot_agent.errors import RobotAgentError


@dataclass(frozen=True)
class UpCommand:
    """Starts a robot's nodes: the body if it is simulated, the gate and the agent. Ctrl-C ends them in good order."""

    robot: str = "sim"
    """A parameter file of launch/config, without .yaml, or the path of one."""

    checkpoint: str = ""
    """The run folder that the agent starts from; without it, it starts from nothing."""

    learn: bool = True
    """Learn beside acting."""

    record: bool = False
    """Record every topic."""

    namespace: str = ""
    """In which all names of this robot stand, so that several can share a network."""

    enable: bool = False
    """Let a robot that is not simulated move from the start; otherwise its first motion is asked for."""

    autostart: bool = True
    """Configure and activate the agent; otherwise it waits for `ros2 lifecycle set`."""

    seconds: float | None = None
    """End after this time; without it, at Ctrl-C."""


def parse(argv: Sequence[str]) -> UpCommand:
    """The command line as a config; raises SystemExit on flags that there are not."""
    verb, *options = argv or [""]
    if verb in ("-h", "--help"):  # `up` is the only verb: its help is the command's
        verb, options = "up", [verb]
    if verb != "up":
        raise RobotAgentError("expected robot-agent ros up: --help lists its options")
    return tyro.cli(UpCommand, args=options, prog="robot-agent ros up")


def run(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    command = parse(argv)
    if command.seconds is not None and not 0 < command.seconds < math.inf:
        raise RobotAgentError(f"--seconds is {command.seconds}, expected a positive number")
    texts = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in vars(command).items()
        if name != "seconds"
    }
    try:
        # Once files and values are known to be good; the runner needs rclpy, which not every machine has.
        _up(command, starts(texts))
    except NodeError as error:
        raise RobotAgentError(str(error)) from error
    return 0


def _up(command: UpCommand, planned: Sequence[Start]) -> None:
    try:
        from robot_agent_ros.runner import Runner
    except ImportError as error:
        raise RobotAgentError(f"rclpy cannot be imported ({error}): run pip install 'robot_agent[ros]'") from error
    confirm = ask_on_terminal if sys.stdin is not None and sys.stdin.isatty() else None
    runner = Runner(planned, command.namespace, command.autostart, confirm=confirm)
    previous = {number: signal.signal(number, lambda *_: runner.stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        runner.run(command.seconds)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def ask_on_terminal(goes_on: Callable[[], bool]) -> bool:
    """Asks whether the robot may move; False for every answer but yes, and when `goes_on` says that it is over."""
    print(
        "May the robot move now? An agent that has learned nothing moves at random. Type yes and Enter: ",
        end="",
        flush=True,
    )
    while goes_on():
        if select.select([sys.stdin], [], [], 0.1)[0]:
            return sys.stdin.readline().strip().lower() in ("y", "yes")
    return False
