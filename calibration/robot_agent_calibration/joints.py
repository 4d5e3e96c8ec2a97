"""`robot-agent calibrate joints`: zeros, gear ratios and backlash of an arm's joints, by a camera and a board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from robot_agent_sim.calibration import Estimate

from robot_agent_calibration import arm_page, hand_eye
from robot_agent_calibration.arm import ArmFit, Free
from robot_agent_calibration.arm_result import ArmResult
from robot_agent_calibration.chain import chain_of
from robot_agent_calibration.geometry import Array
from robot_agent_calibration.outcome import Outcome
from robot_agent_calibration.recording import Recording

LEAST_BACKLASH = np.radians(0.09)
"""rad that the whole interval must be above: a step of a 12-bit encoder."""
LEAST_TRAVEL = np.radians(20)
"""rad that a joint must move for its gear ratio to be asked for."""


@dataclass(frozen=True)
class Config(hand_eye.ArmConfig):
    """Zeros, gear ratios and backlash of an arm's joints, together with the camera's pose.

    angle = ratio · recorded + offset, anywhere within the backlash. The recording is that of hand-eye calibration. The
    zeros of the first and the last joint are one with the poses of the board and the camera: no view tells them apart,
    so they are not given.
    """

    ratios: bool = True
    """Estimate gear ratios too."""


def calibrate(recording: Recording, config: Config) -> Outcome:
    """Estimates zeros and ratios.

    Raises:
        CalibrationError: the recording does not determine them.
    """
    chain = chain_of(config.robot, config.hand, config.base)
    offsets = np.ones(len(chain.names), bool)
    offsets[[0, -1]] = False
    # Which joints moved is known before any image is looked at.
    joints = recording.need_joints()
    travel = np.array([np.ptp(joints.column(name)) for name in chain.names])
    ratios = (travel > LEAST_TRAVEL) & config.ratios
    result = hand_eye.solve(recording, config, chain, Free(offsets & (travel > LEAST_TRAVEL / 4), ratios))
    lines = joint_lines(result) + hand_eye.hand_eye_lines(result, config)
    section = joint_section(result)
    page = arm_page.arm_page("Calibration of the joints", recording, result, lines)
    return Outcome({"joints": section, "hand_eye": hand_eye.hand_eye_section(result, config)}, lines, page)


def joint_estimates(result: ArmResult) -> dict[str, dict[str, Estimate]]:
    """What was estimated of each joint: `offset` in rad, `ratio` and `backlash` in rad, as far as the views tell."""
    fit = result.fit
    errors = fit.errors[12:]
    count = int(fit.free.offsets.sum())
    of_offsets = _spread_out(fit.free.offsets, errors[:count])
    of_ratios = _spread_out(fit.free.ratios, errors[count:])
    estimates: dict[str, dict[str, Estimate]] = {}
    for index, (name, backlash) in enumerate(zip(result.chain.names, backlashes(fit), strict=True)):
        own = {}
        if fit.free.offsets[index]:
            own["offset"] = Estimate(float(fit.body.offsets[index]), float(of_offsets[index]), "rad")
        if fit.free.ratios[index]:
            own["ratio"] = Estimate(float(fit.body.ratios[index]), float(of_ratios[index]), "1")
        if backlash.interval_95[0] > LEAST_BACKLASH:
            own["backlash"] = backlash
        estimates[name] = own
    return estimates


def backlashes(fit: ArmFit) -> list[Estimate]:
    """All of the free play of each joint, rad.

    Backlash b leaves a joint anywhere within it: its variance is b² / 12. The encoder's steps are in it too, so what is
    not clearly more than such a step is none.
    """
    found = []
    for value, low, high in np.sqrt(12) * fit.deviations:
        error = value * np.log(high / low) / (2 * 1.959964)
        found.append(Estimate(float(value), float(error), "rad", (float(low), float(high))))
    return found


def _spread_out(mask: Array, values: Array) -> Array:
    full = np.zeros(len(mask))
    full[mask] = values
    return full


def joint_section(result: ArmResult) -> dict[str, Any]:
    """The section of the result file."""
    section: dict[str, Any] = {"meaning": "angle = ratio * recorded + offset"}
    for name, own in joint_estimates(result).items():
        section[name] = {what: estimate.to_yaml() for what, estimate in own.items()}
    section["undetermined"] = list(undetermined(result))
    return section


def undetermined(result: ArmResult) -> dict[str, str]:
    """What the recording does not tell, and why."""
    names = result.chain.names
    why = {
        f"{names[0]}.offset": "it is one with the pose of what stands",
        f"{names[-1]}.offset": "it is one with the pose of what is in the hand",
    }
    for index, name in enumerate(names):
        moved = np.degrees(np.ptp(result.observed.recorded[:, index]))
        if 0 < index < len(names) - 1 and not result.fit.free.offsets[index]:
            why[f"{name}.offset"] = f"the joint moved by only {moved:.0f}°: move it by 20° or more"
        if not result.fit.free.ratios[index]:
            why[f"{name}.ratio"] = f"the joint moved by only {moved:.0f}°, or ratios were not asked for"
    return why


def joint_lines(result: ArmResult) -> list[str]:
    """What a person wants to know."""
    lines = [f"joints, angle = ratio · recorded + offset, from {len(result.fit.views)} views"]
    for name, own in joint_estimates(result).items():
        parts = []
        if "offset" in own:
            parts.append(f"offset {np.degrees(own['offset'].value):+.3f} ± {_half(own['offset'], 180 / np.pi):.3f}°")
        if "ratio" in own:
            parts.append(f"ratio {own['ratio'].value:.5f} ± {_half(own['ratio'], 1):.5f}")
        if "backlash" in own:
            parts.append(
                f"backlash {np.degrees(own['backlash'].value):.2f} ± {_half(own['backlash'], 180 / np.pi):.2f}°"
            )
        lines.append(f"  {name}: {', '.join(parts) or 'nothing that these views tell'}")
    return lines + [f"not determined: {name}: {why}" for name, why in undetermined(result).items()]


def _half(estimate: Estimate, scale: float) -> float:
    return (estimate.interval_95[1] - estimate.interval_95[0]) / 2 * float(scale)
