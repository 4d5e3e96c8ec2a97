"""Things that lie about in a world, which nothing touches and which are not seen until a change shows them."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco

DISTRACTOR = "distractor"
"""What names of such bodies begin with."""
_COLOURS = ((0.9, 0.45, 0.1), (0.2, 0.7, 0.3), (0.6, 0.25, 0.75), (0.15, 0.65, 0.75), (0.85, 0.8, 0.2))
_SHAPES = (mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_SPHERE, mujoco.mjtGeom.mjGEOM_CYLINDER)


def add_distractors(spec: mujoco.MjSpec, places: Sequence[tuple[float, float]], size: float) -> None:
    """Adds one at each of some places (x, y) on the ground, `size` m across; the change `distractors` shows them."""
    for index, (x, y) in enumerate(places):
        body = spec.worldbody.add_body(name=f"{DISTRACTOR}_{index}", pos=(x, y, size / 2))
        body.add_geom(
            type=_SHAPES[index % len(_SHAPES)],
            size=(size / 2,) * 3,
            rgba=(*_COLOURS[index % len(_COLOURS)], 0),
            contype=0,
            conaffinity=0,
        )
