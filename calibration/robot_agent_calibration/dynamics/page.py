"""The page of `calibrate dynamics`: what was found, what is left, and what nobody can know from this recording."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from robot_agent_sim.calibration.body import QUANTITIES, BodyParameters
from robot_agent_sim.so101.arm import JOINTS

from robot_agent_calibration.dynamics.fit import Fit
from robot_agent_calibration.dynamics.motion import Run
from robot_agent_calibration.dynamics.problem import SETTLING
from robot_agent_calibration.page import PALETTE, drawn, figure, page, table, text


def dynamics_page(recording: Path, runs: Sequence[Run], found: Fit, body: BodyParameters) -> str:
    """Self-contained HTML."""
    run, left = runs[0], np.rad2deg(found.left[0])
    stamps = run.stamps[run.stamps >= run.stamps[0] + SETTLING]
    stamps = stamps - stamps[0]
    measured = np.rad2deg(run.positions[-len(left) :])
    delay = body.command_delay.value if body.command_delay else 0.0
    parts = [
        text(
            "What was found",
            f"From {recording}. Command delay {1e3 * delay:.2f} ms. Values with a question mark are not determined by "
            "this recording: they are what was believed before.",
            f"Scale of forces: {body.scale}." + (" Only ratios hold." if body.scale == "assumed" else ""),
        ),
        table(
            ["joint", *(f"{what} ({unit})" for what, unit in QUANTITIES.items() if what in body.joints[JOINTS[0]])],
            [[joint, *(_cell(body, f"joints.{joint}.{what}") for what in body.joints[joint])] for joint in JOINTS],
        ),
        text("Against the stiffness", "What motion alone tells."),
        table(
            ["joint", *(f"{what} / stiffness ({one.unit})" for what, one in body.ratios[JOINTS[0]].items())],
            [[joint, *(_cell(body, f"ratios.{joint}.{what}") for what in body.ratios[joint])] for joint in JOINTS],
        ),
        table(["link", "mass (kg)"], [[link, _cell(body, f"masses.{link}")] for link in body.masses]),
        figure(
            "What is left",
            drawn(lambda canvas: _residuals(canvas, stamps, left), (7.2, 7.5)),
            "Measured minus predicted position of each joint, in degrees. Noise is the encoder's; waves are what the "
            "model does not have.",
        ),
        figure(
            "Measured and predicted",
            drawn(lambda canvas: _motion(canvas, stamps, measured, measured - left), (7.2, 7.5)),
            "Positions in degrees.",
        ),
        figure(
            "What the recording knows",
            drawn(lambda canvas: _information(canvas, found)),
            "Information of the recording in each independent direction of the numbers, against 1 for what was "
            "believed before. Directions below the line are not determined by it.",
        ),
    ]
    return page("Dynamics of an SO-101", parts)


def _cell(body: BodyParameters, path: str) -> str:
    kind, *names = path.split(".")
    estimate = getattr(body, kind)
    for name in names:
        estimate = estimate[name]
    low, high = estimate.interval_95
    return f"{estimate.value:.4g} ({low:.4g} to {high:.4g}){' ?' if path in body.undetermined else ''}"


def _residuals(canvas: Figure, stamps: np.ndarray, left: np.ndarray) -> None:
    for axes, joint, column in zip(canvas.subplots(len(JOINTS), 1, sharex=True), JOINTS, left.T, strict=True):
        axes.plot(stamps, column, color=PALETTE[0], linewidth=0.8)
        axes.set_ylabel(joint.replace("_", "\n"), fontsize=8)
    canvas.axes[-1].set_xlabel("s")


def _motion(canvas: Figure, stamps: np.ndarray, measured: np.ndarray, predicted: np.ndarray) -> None:
    rows = zip(canvas.subplots(len(JOINTS), 1, sharex=True), JOINTS, measured.T, predicted.T, strict=True)
    for axes, joint, seen, thought in rows:
        axes.plot(stamps, seen, color=PALETTE[0], linewidth=0.9, label="measured")
        axes.plot(stamps, thought, color=PALETTE[1], linewidth=0.9, linestyle="--", label="predicted")
        axes.set_ylabel(joint.replace("_", "\n"), fontsize=8)
    canvas.axes[0].legend(ncols=2, fontsize=8)
    canvas.axes[-1].set_xlabel("s")


def _information(canvas: Figure, found: Fit) -> None:
    axes = canvas.subplots()
    strengths = np.maximum(np.sort(np.linalg.eigvalsh(found.information))[::-1], 1e-6)
    axes.semilogy(np.arange(1, len(strengths) + 1), strengths, "o", color=PALETTE[0], markersize=4)
    axes.axhline(1.0, color=PALETTE[1], linewidth=1)
    axes.set_xlabel("direction")
    axes.set_ylabel("information")
