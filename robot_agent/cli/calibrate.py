"""`robot-agent calibrate`: measures a body from a recording."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import tyro

from robot_agent.errors import RobotAgentError
from robot_agent.run.bounds import POSITIVE_COUNT, SEED, check_numbers

MEASURES: dict[str, tuple[str, str]] = {
    "camera": ("robot_agent_calibration.camera.calibrate", "intrinsics and distortion, from views of a ChArUco board"),
    "hand-eye": ("robot_agent_calibration.arm.hand_eye", "where a camera is on the hand, or beside the arm"),
    "joints": (
        "robot_agent_calibration.arm.joints",
        "zeros, gear ratios and backlash of the joints, by a camera and a board",
    ),
    "delay": ("robot_agent_calibration.delay.calibrate", "how late images are after joints, and joints after commands"),
    "dynamics": ("robot_agent_calibration.dynamics.calibrate", "an arm's servos, masses and delay, from how it moves"),
}
"""What a recording can tell: a module with `Config` and `calibrate(recording, config) -> Outcome`, and a summary."""
MAKERS: dict[str, tuple[str, str]] = {
    "excite": ("robot_agent_calibration.dynamics.excite", "commands that make an arm show its dynamics"),
    "synthesize": ("robot_agent_calibration.synthetic.synthesize", "a rendered recording whose truth is known"),
}
"""What is made without a recording: a module with `Config` and `make(out, config) -> lines`, and a summary."""


@dataclass(frozen=True)
class CalibrateCommand:
    """What a measure is asked for; `config` is the measure's own."""

    what: str
    config: Any
    recording: Path
    out: Path
    page: Path | None = None


def usage() -> str:
    """The page that `robot-agent calibrate --help` prints."""
    kinds = {**MEASURES, **MAKERS}
    width = max(map(len, kinds))
    return "\n".join(
        [
            "usage: robot-agent calibrate WHAT RECORDING [--out calibration.yaml] [options]",
            "",
            "Measures a body from a recording: a folder, or a bag of ROS 2. (WHAT --help lists its options.)",
            "",
            *(f"  {name:<{width}}  {summary}" for name, (_, summary) in kinds.items()),
            "",
            "Each prints its values with their uncertainty, adds its section to the result file, and writes an HTML",
            "page beside it. Nothing is written when something is wrong.",
        ]
    )


def parse(argv: Sequence[str]) -> CalibrateCommand:
    """The command line as a config; raises SystemExit on flags that there are not.

    Raises:
        RobotAgentError: there is nothing of this name to calibrate.
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        raise SystemExit(0)
    what, *rest = argv
    kinds = {**MEASURES, **MAKERS}
    if what not in kinds:
        near = difflib.get_close_matches(what, kinds, n=1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(kinds)}"
        raise RobotAgentError(f"cannot calibrate {what!r}: {hint}")
    config = import_module(kinds[what][0]).Config
    prog = f"robot-agent calibrate {what}"
    flags = tyro.cli(_flags(what, config), args=rest, prog=prog)
    if what in MAKERS:
        return CalibrateCommand(what, flags.config, Path(), flags.out)
    return CalibrateCommand(what, flags.config, flags.recording, flags.out, flags.page)


def run(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    command = parse(argv)
    check_numbers(command.config, {"seed": SEED, "views": POSITIVE_COUNT}, "--")
    from robot_agent_calibration.errors import CalibrationError
    from robot_agent_sim.calibration import CalibrationFileError

    try:
        lines = _make(command) if command.what in MAKERS else _measure(command)
    except (CalibrationError, CalibrationFileError) as error:
        raise RobotAgentError(str(error)) from error
    print("\n".join(lines))
    return 0


def _flags(what: str, config: type[Any]) -> type[Any]:
    """The dataclass whose fields are the command's arguments."""
    own = ("config", Annotated[config, tyro.conf.arg(name="")], field(default_factory=config))
    if what in MAKERS:
        out = ("out", Annotated[Path, tyro.conf.Positional, tyro.conf.arg(help="Where it goes.")])
        return make_dataclass("Flags", [out, own], frozen=True, namespace={"__doc__": config.__doc__})
    arguments: list[Any] = [
        (
            "recording",
            Annotated[Path, tyro.conf.Positional, tyro.conf.arg(help="A folder, or a bag of ROS 2 (MCAP or sqlite3).")],
        ),
        (
            "out",
            Annotated[Path, tyro.conf.arg(help="The result file; sections that it has already stay.")],
            field(default=Path("calibration.yaml")),
        ),
        (
            "page",
            Annotated[Path | None, tyro.conf.arg(help="The HTML page; beside the result file if not given.")],
            field(default=None),
        ),
        own,
    ]
    return make_dataclass("Flags", arguments, frozen=True, namespace={"__doc__": config.__doc__})


def _measure(command: CalibrateCommand) -> list[str]:
    from robot_agent_calibration.recording import open_recording
    from robot_agent_sim.calibration.file import merge_sections, read_calibration, write_atomically

    if command.out.exists():
        read_calibration(command.out)  # before the work, not after it
    outcome = import_module(MEASURES[command.what][0]).calibrate(open_recording(command.recording), command.config)
    page = command.page or command.out.with_name(f"{command.out.stem}_{command.what}.html")
    merge_sections(command.out, outcome.sections)
    for name, text in outcome.files.items():
        write_atomically(command.out.with_name(name), text)
    write_atomically(page, outcome.page)
    written = [command.out, *(command.out.with_name(name) for name in outcome.files), page]
    return [*outcome.lines, f"written: {', '.join(map(str, written))}"]


def _make(command: CalibrateCommand) -> list[str]:
    return list(import_module(MAKERS[command.what][0]).make(command.out, command.config))
