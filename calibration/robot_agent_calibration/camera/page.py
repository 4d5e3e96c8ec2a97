"""The HTML page of a camera's calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from robot_agent_calibration import page
from robot_agent_calibration.camera.coverage import corner_counts, tilts
from robot_agent_calibration.camera.intrinsics import LensFit
from robot_agent_calibration.camera.lens import FOCAL, Lens
from robot_agent_calibration.camera.robust import RobustFit
from robot_agent_calibration.camera.views import View
from robot_agent_calibration.page import PALETTE
from robot_agent_calibration.recording import Frame, Recording
from robot_agent_calibration.recording.images import opencv


def camera_page(recording: Recording, robust: RobustFit, dropped: Mapping[str, str], lines: Sequence[str]) -> str:
    """The page: what was found, how well it fits, where nothing was seen, and the pictures that mattered."""
    fit = robust.fit
    parts = [
        page.printed(lines),
        parameter_table(fit),
        *residual_figures(fit),
        page.figure(
            "Where the board was seen",
            page.drawn(lambda figure: _coverage(figure, fit), (7.2, 3.0)),
            "Left: every corner, and how many there are in each ninth of the image. Right: tilts of the board; a "
            "camera is known well if there are views in all directions.",
        ),
        page.figure(
            "What the lens does",
            page.drawn(lambda figure: _distortion(figure, fit.lens), (4.6, 3.4)),
            "Where the pixels of a camera without distortion (grey) are seen by this one (blue).",
        ),
        *pictures(recording.frames, fit),
    ]
    if dropped:
        parts.append(page.text("Left out") + page.table(("image", "why"), list(dropped.items())))
    return page.page("Camera calibration", parts)


def parameter_table(fit: LensFit) -> str:
    """Each parameter with its error and interval."""
    rows = []
    for name, value, error in zip(fit.lens.names, fit.lens.parameters, np.sqrt(np.diag(fit.covariance)), strict=True):
        low, high = value - 1.96 * error, value + 1.96 * error
        rows.append((name, f"{value:.5f}", f"{error:.5f}", f"{low:.5f} to {high:.5f}", "px" if name in FOCAL else "1"))
    return page.table(("parameter", "value", "standard error", "95 % interval", "unit"), rows)


def residual_figures(fit: LensFit) -> list[str]:
    """How far corners lie from where they are predicted."""
    return [
        page.figure(
            "Residuals",
            page.drawn(lambda figure: _residuals(figure, fit), (7.2, 3.2)),
            "Left: found minus predicted corners; a round cloud is noise, a pattern would be a model that does not "
            "fit. Right: each view's root mean square error.",
        )
    ]


def pictures(frames: Sequence[Frame], fit: LensFit, most: int = 4) -> list[str]:
    """The views that fit worst and best, with their corners."""
    order = np.argsort(fit.view_rms())
    shown = [*order[::-1][: most - 1], order[0]]
    by_name = {frame.name: frame for frame in frames}
    content = ""
    for index in shown:
        view = fit.views[index]
        if view.name in by_name:
            content += page.picture(_marked(by_name[view.name].image(), view, fit.residuals[index]), 460)
    caption = (
        "The views that fit worst, and the best: "
        + ", ".join(f"{fit.views[index].name} ({fit.view_rms()[index]:.3f} px)" for index in shown)
        + ". Lines from the corners are residuals, 50 times as long."
    )
    return [page.figure("Pictures that mattered", content, caption)] if content else []


def _marked(image: NDArray[np.uint8], view: View, residuals: NDArray[np.float64]) -> NDArray[np.uint8]:
    cv2 = opencv()
    colour = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    for pixel, residual in zip(view.pixels, residuals, strict=True):
        at, to = np.rint(pixel).astype(int), np.rint(pixel + 50 * residual).astype(int)
        cv2.circle(colour, at.tolist(), 4, (0, 94, 213), 1, cv2.LINE_AA)
        cv2.line(colour, at.tolist(), to.tolist(), (178, 114, 0), 2, cv2.LINE_AA)
    return np.asarray(colour, np.uint8)


def _residuals(figure: Figure, fit: LensFit) -> None:
    cloud, bars = figure.subplots(1, 2)
    all_of_them = np.concatenate(fit.residuals)
    cloud.plot(*all_of_them.T, ".", ms=2, color=PALETTE[0], alpha=0.4)
    reach = 1.1 * np.abs(all_of_them).max()
    cloud.set(xlabel="x, px", ylabel="y, px", xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    bars.bar(np.arange(len(fit.views)), fit.view_rms(), color=PALETTE[0])
    bars.axhline(fit.rms, color=PALETTE[1], lw=1)
    bars.set(xlabel="view", ylabel="RMS, px")


def _coverage(figure: Figure, fit: LensFit) -> None:
    image, tilt = figure.subplots(1, 2)
    width, height = fit.lens.size
    image.plot(*np.concatenate([view.pixels for view in fit.views]).T, ".", ms=2, color=PALETTE[0], alpha=0.4)
    for row, counts in enumerate(corner_counts(fit)):
        for column, count in enumerate(counts):
            at = (width * (column + 0.5) / 3, height * (row + 0.5) / 3)
            image.text(*at, f"{count:.0f}", ha="center", va="center", color=PALETTE[1])
    image.set(xlim=(0, width), ylim=(height, 0), aspect="equal", xlabel="x, px", ylabel="y, px")
    tilt.plot(*np.degrees(tilts(fit.transforms_board_to_camera)).T, "o", ms=4, color=PALETTE[0])
    tilt.set(xlabel="left edge farther away, °", ylabel="upper edge farther away, °", xlim=(-65, 65), ylim=(-65, 65))


def _distortion(figure: Figure, lens: Lens) -> None:
    axis = figure.subplots()
    width, height = lens.size
    x, y = np.meshgrid(np.linspace(0, width - 1, 17), np.linspace(0, height - 1, 13))
    seen = np.stack([x.ravel(), y.ravel()], axis=1)
    straight = lens.rays(seen) * lens.parameters[:2] + lens.parameters[2:4]
    axis.plot(*straight.T, ".", color="#888888", ms=3)
    axis.quiver(
        *straight.T, *(seen - straight).T, angles="xy", scale_units="xy", scale=1, color=PALETTE[0], width=0.003
    )
    axis.set(aspect="equal", xlabel="x, px", ylabel="y, px")
    axis.invert_yaxis()
