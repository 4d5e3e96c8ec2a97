"""What calibrating an arm by its camera came to: what is reported, drawn and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from robot_agent_calibration.arm.chain import Chain
from robot_agent_calibration.arm.consistency import CONTRADICTED
from robot_agent_calibration.arm.fit import ArmFit
from robot_agent_calibration.arm.mounting import Mounting
from robot_agent_calibration.arm.observed import Observed
from robot_agent_calibration.geometry import Mask

INSIDE = 1.959964
"""Standard errors to each side of a 95 % interval."""


@dataclass(frozen=True)
class ArmResult:
    """An arm's fit with all that led to it.

    Args:
        observed: the views that were used.
        chain: of the arm.
        fit: the estimate.
        closed_forms: OpenCV's, by method.
        unusual: names of views that contradict the others, and what they look like, or "".
        known_offsets: which of the joints' offsets are their zeros, mask (j,).
    """

    observed: Observed
    chain: Chain
    fit: ArmFit
    closed_forms: Mapping[str, Mounting]
    unusual: Mapping[str, str]
    known_offsets: Mask

    @property
    def warnings(self) -> Sequence[str]:
        """What the data contradict, a sentence each; intervals are widened by it."""
        found = []
        size, error = self.fit.log_scale
        if abs(size) > CONTRADICTED * error:
            found.append(
                f"{self.size}, {abs(size) / error:.0f} standard errors off: measure the board again; all else is as of "
                "the size by the arm's motion"
            )
        for one in self.fit.contradicted:
            name, turn = self.chain.names[one.joint], np.degrees(one.value)
            half = INSIDE * one.standard_error
            what = {
                "slip": f"its zero changed by {turn:+.2f} ± {np.degrees(half):.2f}° between the first and the second "
                "half of the views: did a gear slip, or was the base, the board or the camera moved?",
                "bend": f"its angle is off a straight line of what is recorded by up to {turn:+.2f} ± "
                f"{np.degrees(half):.2f}°: is its encoder centred, and did it wrap?",
                "ratio": f"its gear ratio is {1 + one.value:.4f} ± {half:.4f}, and 1 was taken for granted: "
                "robot-agent calibrate joints estimates it",
            }[one.kind]
            found.append(f"{name}: {what}; intervals are widened by it")
        return found

    @property
    def size(self) -> str:
        """The size of the board's squares, as the arm's motion and as `board.yaml` say it."""
        size, error = self.fit.log_scale
        square = 1e3 * self.observed.board.square
        measured = square * np.exp(size)
        return (
            f"a square of the board is {measured:.2f} ± {INSIDE * measured * error:.2f} mm by the arm's motion, "
            f"board.yaml says {square:.2f} mm"
        )
