"""`robot-agent calibrate delay`: how late images are after joint states, and joints after commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from robot_agent_sim.calibration import Estimate

from robot_agent_calibration.delay.lag import EARLIEST, LATEST, Lag, lag_between
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.outcome import Outcome
from robot_agent_calibration.page import PALETTE, drawn, figure, page, table, text
from robot_agent_calibration.recording.images import opencv
from robot_agent_calibration.recording.recording import Frame, Recording, Samples

LEAST_FRAMES = 60
LEAST_LIKENESS = {"images": 0.3, "commands": 0.8}
"""Of the variance of the later motion that the other explains. Where they are positions much of it is explained at
nearly any lag."""
INSIDE = 1.959964
"""Standard errors to each side of a 95 % interval."""
_HEIGHT = 120
"""px that images are shrunk to: all of the picture counts, and small ones are quick."""


@dataclass(frozen=True)
class Config:
    """There is nothing to choose."""


def calibrate(recording: Recording, config: Config) -> Outcome:
    """Correlates what moves in the images with the joints, and the joints with their commands.

    Raises:
        CalibrationError: there is nothing to compare, or it does not move together.
    """
    joints = recording.need_joints()
    if not recording.frames and recording.commands is None:
        raise CalibrationError(f"{recording.path} has neither images nor commands: there is nothing that could be late")
    found: dict[str, Lag] = {}
    if recording.frames:
        found["camera"] = _checked(image_delay(*image_motion(recording.frames), joints), "images", recording)
    if recording.commands is not None:
        found["command_response"] = _checked(response_lag(recording.commands, joints), "commands", recording)
    meanings = {
        "camera": "images are older than their stamps say, against the joint states",
        "command_response": "joints answer their commands later: the delay and the servo's own lag, which "
        "robot-agent calibrate dynamics tells apart",
    }
    section = {name: Estimate(lag.value, lag.standard_error, "s").to_yaml() for name, lag in found.items()}
    lines = [
        f"{name.replace('_', ' ')}: {1e3 * lag.value:.2f} ± {INSIDE * 1e3 * lag.standard_error:.2f} ms (± is the 95 % "
        f"interval; {meanings[name]})"
        for name, lag in found.items()
    ]
    return Outcome({"delays": section}, lines, _page(recording, found, meanings))


def image_motion(frames: Sequence[Frame]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Stamps (n,) in s, and how much the picture changed from each to the next, (n - 1,) in grey levels, mean over it.

    Raises:
        CalibrationError: too few images, or one that cannot be decoded.
    """
    if len(frames) < LEAST_FRAMES:
        raise CalibrationError(f"{len(frames)} images are too few to time a camera, expected at least {LEAST_FRAMES}")
    cv2 = opencv()
    changed: list[float] = []
    before: NDArray[np.float32] | None = None
    for frame in frames:
        image = frame.image()
        height, width = image.shape
        small = cv2.resize(image, (round(width * _HEIGHT / height), _HEIGHT), interpolation=cv2.INTER_AREA)
        smooth = cv2.GaussianBlur(small.astype(np.float32), (5, 5), 1.2)
        if before is not None:
            changed.append(float(np.abs(smooth - before).mean()))
        before = smooth
    return np.array([frame.stamp for frame in frames]), np.array(changed)


def image_delay(stamps: NDArray[np.float64], changed: NDArray[np.float64], joints: Samples) -> Lag:
    """s by which images are late after joint states.

    How much a picture changes is taken as a sum of how far each joint turned meanwhile, each with a weight of its own.

    Raises:
        CalibrationError: all pictures are alike.
    """
    if not np.ptp(changed) > 0:
        raise CalibrationError("the pictures do not change: record a motion that the camera sees")
    paths = np.concatenate(
        (np.zeros((1, joints.values.shape[1])), np.cumsum(np.abs(np.diff(joints.values, axis=0)), axis=0))
    )

    def causes(lag: float) -> NDArray[np.float64]:
        turned = np.diff(np.stack([np.interp(stamps - lag, joints.stamps, path) for path in paths.T], axis=1), axis=0)
        return np.concatenate((turned, np.ones((len(turned), 1))), axis=1)

    return lag_between([changed], [causes])


def response_lag(commands: Samples, joints: Samples) -> Lag:
    """s by which joints move after they are commanded to; joints that do not move at all are left out.

    Positions are compared, up to a gain and an offset for each joint: of a slow motion, differences of angles in whole
    encoder steps are mostly those steps. Where joints differ by more than each one's error, the error of their common
    lag is widened to that (R. T. Birge, 1932).

    Raises:
        CalibrationError: no joint is commanded to move, or none moves.
    """
    names = [name for name in commands.names if name in joints.names and np.ptp(commands.column(name)) > np.deg2rad(1)]
    moving = [name for name in names if np.ptp(joints.column(name)) > 0]
    if names and not moving:
        raise CalibrationError(f"{', '.join(names)} did not move when commanded to: is the arm powered?")
    if not names:
        raise CalibrationError("no joint is commanded to move by more than a degree: nothing can be timed")

    def causes(told: NDArray[np.float64], lag: float) -> NDArray[np.float64]:
        at = np.interp(joints.stamps - lag, commands.stamps, told)
        return (at - at.mean())[:, None]

    answers = [column - column.mean() for column in map(joints.column, moving)]
    asked = [partial(causes, commands.column(name)) for name in moving]
    lag = lag_between(answers, asked)
    if len(moving) < 2:
        return lag
    single = [lag_between([answer], [cause]) for answer, cause in zip(answers, asked, strict=True)]
    apart = sum(((own.value - lag.value) / own.standard_error) ** 2 for own in single) / (len(single) - 1)
    return replace(lag, standard_error=lag.standard_error * float(np.sqrt(max(1.0, apart))))


def _checked(lag: Lag, what: str, recording: Recording) -> Lag:
    least = LEAST_LIKENESS[what]
    if lag.likeness < least:
        raise CalibrationError(
            f"{what} and joints of {recording.path} do not move together (they share {100 * lag.likeness:.0f} % of "
            f"their motion, expected {100 * least:.0f} %): record a quick motion that the camera sees, with "
            "stamps of one clock"
        )
    if lag.beyond:
        raise CalibrationError(
            f"{what} of {recording.path} are late by what lies outside of {1e3 * EARLIEST:.0f} to {1e3 * LATEST:.0f} "
            "ms: are their stamps and those of the joints of one clock?"
        )
    return lag


def _page(recording: Recording, found: dict[str, Lag], meanings: dict[str, str]) -> str:
    rows = [
        [
            name.replace("_", " "),
            f"{1e3 * lag.value:.2f}",
            f"{INSIDE * 1e3 * lag.standard_error:.2f}",
            f"{100 * lag.likeness:.0f} %",
        ]
        for name, lag in found.items()
    ]
    parts = [
        text("What was found", f"From {recording.path}.", *(f"{name}: {meanings[name]}." for name in found)),
        table(["delay", "ms", "±, ms (95 % interval)", "motion shared"], rows),
    ]
    for name, lag in found.items():
        parts.append(
            figure(
                name.replace("_", " "),
                drawn(partial(_costs, lag=lag)),
                "What is left unexplained of the later motion, at each delay that was tried.",
            )
        )
    return page("Delays", parts)


def _costs(canvas: Figure, lag: Lag) -> None:
    axes = canvas.subplots()
    axes.plot(1e3 * lag.lags, lag.costs, color=PALETTE[0])
    axes.axvline(1e3 * lag.value, color=PALETTE[1])
    axes.set_xlabel("delay (ms)")
    axes.set_ylabel("unexplained")
