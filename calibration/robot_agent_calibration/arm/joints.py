"""`robot-agent calibrate joints`: zeros, gear ratios and backlash of an arm's joints, by a camera and a board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from robot_agent_sim.calibration import Estimate

from robot_agent_calibration.arm import hand_eye
from robot_agent_calibration.arm import page as arm_page
from robot_agent_calibration.arm.chain import Chain, chain_of
from robot_agent_calibration.arm.fit import STILL, ArmFit
from robot_agent_calibration.arm.observed import Observed, observe
from robot_agent_calibration.arm.result import ArmResult
from robot_agent_calibration.geometry import Mask
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
    observed = observe(recording, chain, config.model, config.min_views)
    result = hand_eye.solve(observed, config, chain, told_ratios(observed, chain) & config.ratios)
    lines = joint_lines(result) + hand_eye.hand_eye_lines(result, config)
    section = joint_section(result)
    page = arm_page.arm_page("Calibration of the joints", recording, result, lines)
    return Outcome({"joints": section, "hand_eye": hand_eye.hand_eye_section(result, config)}, lines, page)


def told_ratios(observed: Observed, chain: Chain) -> Mask:
    """Which joints' gear ratios the views tell, mask (j,)."""
    wrapped = np.array([name in observed.ambiguous for name in chain.names])
    return (np.ptp(observed.recorded, axis=0) > LEAST_TRAVEL) & ~wrapped


def joint_estimates(result: ArmResult) -> dict[str, dict[str, Estimate]]:
    """What was estimated of each joint: `offset` in rad, `ratio` and `backlash` in rad, as far as the views tell."""
    fit = result.fit
    of_offsets, of_ratios = fit.offset_errors, fit.ratio_errors
    moved = np.ptp(result.observed.recorded, axis=0) > STILL
    contradicted = {one.joint for one in fit.contradicted}
    estimates: dict[str, dict[str, Estimate]] = {}
    for index, (name, backlash) in enumerate(zip(result.chain.names, backlashes(fit), strict=True)):
        own = {}
        if result.known_offsets[index]:
            own["offset"] = Estimate(float(fit.body.offsets[index]), float(of_offsets[index]), "rad")
        if fit.free.ratios[index]:
            own["ratio"] = Estimate(float(fit.body.ratios[index]), float(of_ratios[index]), "1")
        if backlash.interval_95[0] > LEAST_BACKLASH and moved[index] and index not in contradicted:
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
        little = f"the joint moved by only {moved:.0f}°: move it by {np.degrees(LEAST_TRAVEL):.0f}° or more"
        if 0 < index < len(names) - 1 and not result.known_offsets[index]:
            still = moved < np.degrees(STILL)
            why[f"{name}.offset"] = little if still else "it is one with those of joints that did not move"
        if name in result.observed.ambiguous:
            why[f"{name}.ratio"] = "it may have made a turn between two joint states: record them at 20 Hz or more"
        elif moved < np.degrees(LEAST_TRAVEL):
            why[f"{name}.ratio"] = little
        elif not result.fit.free.ratios[index]:
            why[f"{name}.ratio"] = "ratios were not asked for"
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
