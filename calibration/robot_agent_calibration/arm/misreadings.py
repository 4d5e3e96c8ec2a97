"""What a recording looks like whose joints and views contradict each other: usual mistakes, each tried on the data.

A mistake is one if the data fit several times as well without it. All is judged by OpenCV's closed form, which takes
milliseconds; what it leaves is a few hundredths of a radian where joints are a degree or two off, and several times as
much with any of these mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from robot_agent_calibration.arm.chain import Chain
from robot_agent_calibration.arm.mounting import Mounting, closed_form
from robot_agent_calibration.arm.play import LEVER
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array, exp, inverse, log

CONSISTENT = 0.1
"""rad that closed forms leave at most where nothing is mistaken (a translation of `LEVER` counts as a radian)."""
BETTER = 0.4
"""Share of what is left as recorded that is left without the mistake."""
MOST_SIGNS = 8
"""Joints of which all combinations of signs are tried."""
SINGLE = 0.9
"""Share of views that agree beyond which the others are single ones, which are left out by name."""
TRIES, FEW = 80, 6
"""Random draws of so many views, one of which should hold views of one kind only."""


def misreading(chain: Chain, recorded: Array, boards: Array, in_hand: bool, names: Sequence[str]) -> str:
    """What the data look like if they contradict each other, or "".

    Args:
        chain: of the arm.
        recorded: joint angles at each view, (v, j) rad.
        boards: transform_board_to_camera of each view, (v, 4, 4).
        in_hand: whether the camera is.
        names: of the views.
    """
    as_recorded = _left(chain, recorded, boards, in_hand)
    if as_recorded < CONSISTENT:
        return ""
    found = [
        (_left(chain, angles, poses, camera_in_hand), sentence)
        for sentence, angles, poses, camera_in_hand in _mistakes(chain, recorded, boards, in_hand)
    ]
    left, sentence = min(found)
    if left < BETTER * as_recorded:
        return sentence
    return _turned_views(chain, recorded, boards, in_hand, names)


def turned_by(predicted: Array, seen: Array) -> int:
    """Degrees by which a picture was turned (90, 180, 270) if the board's pose (4, 4) is then as predicted; else 0."""
    left = {turn: _size(log(predicted @ inverse(_turned(seen, turn))[None]))[0] for turn in (0, 90, 180, 270)}
    best = min(left, key=left.__getitem__)
    return best if left[best] < 3 * CONSISTENT and left[best] < BETTER * left[0] else 0


def _mistakes(chain: Chain, recorded: Array, boards: Array, in_hand: bool) -> Iterator[tuple[str, Array, Array, bool]]:
    """Each mistake's sentence, and recorded angles, poses and place of the camera without it."""
    joints = len(chain.names)
    if joints <= MOST_SIGNS:
        signs = [np.array(signs) for signs in product((1.0, -1.0), repeat=joints)][1:]
    else:
        signs = [np.where(np.arange(joints) == joint, -1.0, 1.0) for joint in range(joints)]
    for own in signs:
        reversed_ones = " and ".join(np.array(chain.names)[own < 0])
        yield (
            f"{reversed_ones} looks reversed: record the angle with the sign of the model",
            recorded * own,
            boards,
            in_hand,
        )
    for factor, word in ((2.0, "half"), (0.5, "twice")):
        yield f"all joint angles look like {word} of what they are", recorded * factor, boards, in_hand
        for joint, name in enumerate(chain.names):
            angles = recorded.copy()
            angles[:, joint] *= factor
            yield f"{name} looks recorded with {word} its angle: correct its gear ratio", angles, boards, in_hand
        poses = boards.copy()
        poses[:, :3, 3] *= 1 / factor
        size = "half" if factor == 2 else "twice"
        yield f"the board looks {size} as large as board.yaml says: measure its squares", recorded, poses, in_hand
    yield "the angles look like degrees: record rad", np.radians(recorded), boards, in_hand
    other = "base" if in_hand else "hand"
    yield f"the camera looks like one at the {other}: give --camera-at {other}", recorded, boards, not in_hand


def _left(chain: Chain, recorded: Array, boards: Array, in_hand: bool) -> float:
    """Median over views of how far predicted and seen poses are apart, rad; infinite where no closed form exists."""
    hands = chain.transform_hand_to_base(recorded)
    try:
        form = closed_form(hands, boards, in_hand, "PARK")
    except CalibrationError:
        return np.inf
    return float(np.median(_size(log(_predicted(form, hands) @ inverse(boards)))))


def _predicted(form: Mounting, hands: Array) -> Array:
    between = inverse(hands) if form.in_hand else hands
    return inverse(form.transform_camera_to_mount) @ between @ form.transform_board_to_other


def _size(twists: Array) -> Array:
    """rad, (v,)."""
    return np.asarray(np.linalg.norm(twists / np.repeat([1.0, LEVER], 3), axis=1))


def _turned(poses: Array, degrees: int) -> Array:
    """Poses seen in pictures that are turned about the optical axis."""
    return exp(np.array([0, 0, np.radians(degrees), 0, 0, 0])) @ poses


def _turned_views(chain: Chain, recorded: Array, boards: Array, in_hand: bool, names: Sequence[str]) -> str:
    """Views that are turned against those that agree, if a third of all agree and more than single ones do not."""
    rng, hands = np.random.default_rng(0), chain.transform_hand_to_base(recorded)
    best, agree = None, np.zeros(len(boards), bool)
    for _ in range(TRIES):
        few = rng.choice(len(boards), FEW, replace=False)
        try:
            form = closed_form(hands[few], boards[few], in_hand, "PARK")
        except CalibrationError:
            continue
        near = _size(log(_predicted(form, hands) @ inverse(boards))) < 3 * CONSISTENT
        if near.sum() > agree.sum():
            best, agree = form, near
    if best is None or not 1 / 3 <= agree.mean() < SINGLE:
        return ""
    predicted = _predicted(best, hands)
    turns = {view: turned_by(predicted[view], boards[view]) for view in np.flatnonzero(~agree).tolist()}
    turned = {names[view]: turn for view, turn in turns.items() if turn}
    if not turned or len(turned) < 0.5 * len(turns):
        return ""
    name, turn = next(iter(turned.items()))
    return f"{len(turned)} views look turned, such as {name} by {turn}°: record all pictures upright"
