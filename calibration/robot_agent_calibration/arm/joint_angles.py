"""Joint angles of a recording as angles of a chain: in radians, and without jumps by whole turns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot_agent_calibration.arm.chain import Chain
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array, Mask
from robot_agent_calibration.recording import Samples

TURN = 2 * np.pi
SEEN = 0.1
"""s between two samples within which no joint makes half a turn, so that a larger jump is one of the encoder."""
LEAST_GAP = 0.4
"""rad that a joint's range must leave of a turn, for its angle to be known from where in the turn it is."""


@dataclass(frozen=True)
class JointAngles:
    """What a chain's joints read.

    Args:
        samples: of the chain's joints in its order, rad, in one piece.
        ambiguous: joints of which it stays open in which turn they were, as they may have wrapped unseen.
    """

    samples: Samples
    ambiguous: frozenset[str] = frozenset()


def joint_angles(samples: Samples, chain: Chain) -> JointAngles:
    """The recorded angles of a chain's joints.

    Raises:
        CalibrationError: a joint is missing, or what is recorded are no radians.
    """
    missing = [name for name in chain.names if name not in samples.names]
    if missing:
        raise CalibrationError(
            f"the recording has no joint {missing[0]!r} of the model, only {', '.join(samples.names)}: name joints "
            "alike"
        )
    values = np.stack([samples.column(name) for name in chain.names], axis=1)
    _check_radians(values, chain)
    ambiguous = set()
    for joint, (name, (low, high)) in enumerate(zip(chain.names, chain.ranges, strict=True)):
        own = values[:, joint]
        steps, quick = np.diff(own), np.diff(samples.stamps) <= SEEN
        limited = high - low < TURN - LEAST_GAP
        if quick.all() or not limited:
            own = own - _turns_before(steps, quick)
            if (np.abs(np.diff(own)[~quick]) > np.pi).any():
                ambiguous.add(name)
        if limited:
            at = np.median(own) if quick.all() else own
            own = own - TURN * np.round((at - (low + high) / 2) / TURN)
        values[:, joint] = own
    return JointAngles(Samples(chain.names, samples.stamps, values), frozenset(ambiguous))


def _turns_before(steps: Array, quick: Mask) -> Array:
    """rad of whole turns that an encoder jumped by until each sample, (len(steps) + 1,)."""
    jumps = np.where(quick, TURN * np.round(steps / TURN), 0.0)
    return np.concatenate([[0.0], np.cumsum(jumps)])


def _check_radians(values: Array, chain: Chain) -> None:
    """Refuses angles that no joint with such limits can have in rad."""
    low, high = chain.ranges.T
    limited = high - low < TURN - LEAST_GAP
    beyond = limited & (np.ptp(values, axis=0) > high - low + TURN + 1.0)
    if not beyond.any():
        return
    joint = int(np.argmax(beyond))
    raw = f"{values[:, joint].min():.1f} to {values[:, joint].max():.1f}"
    spans = np.ptp(np.radians(values), axis=0)
    guess = "they look like degrees" if (spans <= high - low + 0.5)[limited].all() else "they are no angles in rad"
    raise CalibrationError(
        f"joint {chain.names[joint]} is recorded from {raw}, and its range in the model is {low[joint]:.2f} to "
        f"{high[joint]:.2f} rad: {guess}, record rad"
    )
