"""The HTML page of a hand-eye calibration, or one of joints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from robot_agent_calibration import page
from robot_agent_calibration.arm.result import ArmResult
from robot_agent_calibration.camera.page import parameter_table, pictures, residual_figures
from robot_agent_calibration.page import PALETTE
from robot_agent_calibration.recording import Recording


def arm_page(title: str, recording: Recording, result: ArmResult, lines: Sequence[str]) -> str:
    """The page: the estimate in words, how well arm and camera agree, how the joints moved, and the pictures."""
    parts = [
        page.printed(lines),
        page.figure(
            "Arm against camera",
            page.drawn(lambda figure: _misfits(figure, result), (7.2, 3.2)),
            "How far the board is, in each view, from where the arm's joints say: what encoder steps and backlash "
            "leave. A view that stands out would be named above.",
        ),
        page.figure(
            "Where the joints were",
            page.drawn(lambda figure: _joints(figure, result), (7.2, 2.8)),
            "Joint angles of the views. What does not move cannot be calibrated.",
        ),
        page.text("The camera, by the same views"),
        parameter_table(result.observed.fit),
        *residual_figures(result.observed.fit),
        *pictures(recording.frames, result.observed.fit),
    ]
    return page.page(title, parts)


def _misfits(figure: Figure, result: ArmResult) -> None:
    turn, shift = figure.subplots(1, 2)
    for index, name in enumerate("xyz"):
        at = np.arange(len(result.fit.misfits))
        turn.plot(at, np.degrees(result.fit.misfits[:, index]), ".", color=PALETTE[index], label=name)
        shift.plot(at, 1e3 * result.fit.misfits[:, 3 + index], ".", color=PALETTE[index], label=name)
    turn.set(xlabel="view", ylabel="about the camera's axes, °")
    shift.set(xlabel="view", ylabel="along the camera's axes, mm")
    shift.legend(fontsize=8, ncols=3)


def _joints(figure: Figure, result: ArmResult) -> None:
    axis = figure.subplots()
    for index in range(len(result.chain.names)):
        angles = np.degrees(result.observed.recorded[:, index])
        axis.plot(angles, np.full(len(angles), index), "|", ms=12, color=PALETTE[index % len(PALETTE)])
    axis.set(xlabel="recorded angle, °", yticks=range(len(result.chain.names)), yticklabels=result.chain.names)
