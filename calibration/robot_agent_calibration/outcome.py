"""What a calibration hands back: sections of the result file, lines for a person, a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """The result of one calibration, not yet written anywhere.

    Every `robot_agent_calibration` module that `robot-agent calibrate` offers has a frozen dataclass `Config`, whose
    fields become flags, and a function `calibrate(recording, config) -> Outcome`.
    """

    sections: Mapping[str, Mapping[str, Any]]
    """Sections of `calibration.yaml` by name; the others in the file are left as they are."""

    lines: Sequence[str]
    """Printed on stdout: each value with its uncertainty and unit."""

    page: str
    """Self-contained HTML."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Further text files by name, written beside the result file."""
