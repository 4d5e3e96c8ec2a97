"""`robot-agent`: finds the command and imports only what it needs."""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

COMMANDS = {
    "train": "an agent learns a world from nothing, or resumes",
    "evaluate": "how good a run's agent is: mean, standard deviation, 95 % interval, a video",
    "sim2real": "how far a score in simulation can be trusted: other bodies, gaps with intervals, a page",
    "report": "one HTML page about one run or several",
    "worlds": "every world that can be named",
    "watch": "a world live in a browser, or as a video",
    "calibrate": "measures a body from a recording: its camera, joints, delays, dynamics",
    "import-bag": "a robot's recording as experience to learn from",
    "random": "what random actions score, for reference",
    "replay": "brings a run's replay to the current version",
    "replay-dump": "what a run kept, and the batches that its learner had to skip",
    "bench": "how long a plan takes on this machine, against other planners",
    "ros": "a robot's nodes on ROS 2 as processes: body, gate and agent",
    "doctor": "what works on this machine, and what to install",
}


def usage() -> str:
    """The page that `robot-agent --help` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items()]
    return "\n".join(
        [
            "usage: robot-agent COMMAND [options]   (COMMAND --help lists its options)",
            "",
            "An embodied agent that never stops learning.",
            "",
            *lines,
            "",
            "  --debug  show the whole traceback of an error",
            "",
            "A first try: robot-agent train --world dmc/cartpole-swingup --minutes 5 --out runs/first",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
        its exit status; 2 for a user-fixable error, reported in one line on stderr; 130 for an interrupt.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    args = [arg for arg in args if arg != "--debug"]
    if not args or args[0] in ("-h", "--help"):
        print(usage())
        return 0
    if args[0] == "--version":
        print(f"robot-agent {version('robot_agent')}")
        return 0
    name, *rest = args
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=2)
        hint = f"did you mean {' or '.join(near)}?" if near else "robot-agent --help lists the commands"
        return _fail(f"unknown command {name!r}: {hint}")
    warnings.showwarning = _show_warning
    try:
        return import_module(f"robot_agent.cli.{name.replace('-', '_')}").run(rest)
    except KeyboardInterrupt:
        print("robot-agent: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0  # the reader of our output has seen enough
    except Exception as error:
        from robot_agent_sim.errors import WorldError

        from robot_agent.errors import RobotAgentError

        missing_package = type(error).__name__ == "DependencyNotInstalled"  # gymnasium's; its text says what to install
        if debug or not (isinstance(error, RobotAgentError | WorldError) or missing_package):
            raise
        return _fail(str(error))


def _fail(sentence: str, status: int = 2) -> int:
    print(f"robot-agent: error: {' '.join(sentence.split())}", file=sys.stderr)
    return status


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, UserWarning):
        print(f"robot-agent: warning: {' '.join(str(message).split())}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
