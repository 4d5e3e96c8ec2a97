"""Whether joints and views contradict what is taken for granted of them, and how much that could shift the estimates.

What is taken for granted becomes one more unknown at a time: its estimate x ± s says whether the data contradict it
(a score test; Rao, 1948). An unknown that was left out shifts the others by their regression on it. With covariance C
without it and C + D with it, D being of rank one, the shift of estimate i is z √D_ii with z = x / s. Of z² one is
chance, so that the covariance grows by (z² - 1) D where that is positive, whether the data contradict what is taken for
granted or leave it open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from robot_agent_calibration.arm.play import Views
from robot_agent_calibration.geometry import Array, Mask
from robot_agent_calibration.solve import covariance

CONTRADICTED = 4.0
"""Standard errors; by chance one in 16,000 is beyond."""
LEAST_TRAVEL = np.radians(20)
"""rad that a joint must move for its angles to tell how they are scaled or bent."""


@dataclass(frozen=True)
class Contradiction:
    """Something that is taken for granted and that the data contradict.

    Args:
        joint: index in the chain.
        kind: slip (the zero of the second half of the views against that of the first, rad), bend (the most that the
            angle is off a straight line of what is recorded, rad) or ratio (the gear ratio less 1).
        value: estimate.
        standard_error: of it.
    """

    joint: int
    kind: str
    value: float
    standard_error: float

    @property
    def z(self) -> float:
        """Standard errors from nothing."""
        return abs(self.value) / self.standard_error


def contradictions(
    views: Views, weights: Array, recorded: Array, ratios: Mask
) -> tuple[Sequence[Contradiction], Array]:
    """What the views contradict, and by how much the covariance of the estimates grows for it.

    Args:
        views: misfits and their derivatives at the estimate, in the order of time.
        weights: (v, 6, 6), the inverse covariances of the misfits.
        recorded: joint angles at each view, (v, j) rad.
        ratios: which gear ratios were estimated, mask (j,).

    Returns:
        contradictions, and a covariance (g, g).
    """
    found = []
    matrix = np.einsum("vig,vij,vjh->gh", views.design, weights, views.design)
    known, growth = covariance(matrix), np.zeros_like(matrix)
    for joint, kind, column in _unknowns(views.by_angles, recorded, ratios):
        cross = np.einsum("vig,vij,vj->g", views.design, weights, column)
        shift = known @ cross
        information = np.einsum("vi,vij,vj->", column, weights, column) - cross @ shift
        if information <= 1e-12:  # the others say the same
            continue
        left = views.misfits - np.einsum(
            "vig,g->vi", views.design, known @ np.einsum("vig,vij,vj->g", views.design, weights, views.misfits)
        )
        value = -float(np.einsum("vi,vij,vj->", column, weights, left) / information)
        own = Contradiction(joint, kind, value, float(information**-0.5))
        if own.z > CONTRADICTED:
            found.append(own)
        growth += max(0.0, own.z**2 - 1) / information * np.outer(shift, shift)
    return found, growth


def _unknowns(by_angles: Array, recorded: Array, ratios: Mask) -> Iterator[tuple[int, str, Array]]:
    """Joint, kind and derivatives (v, 6) of the misfits by what may be contradicted."""
    late = np.where(np.arange(len(recorded)) < len(recorded) / 2, -0.5, 0.5)
    for joint in range(recorded.shape[1]):
        turned = by_angles[:, :, joint]
        yield joint, "slip", turned * late[:, None]
        half = np.ptp(recorded[:, joint]) / 2
        if half < LEAST_TRAVEL / 2:
            continue
        along = (recorded[:, joint] - recorded[:, joint].min()) / half - 1
        yield joint, "bend", turned * (along**2)[:, None]
        if not ratios[joint]:
            yield joint, "ratio", turned * recorded[:, joint, None]
