"""Pictures of a body for people."""

from __future__ import annotations

import gymnasium
import numpy as np
from numpy.typing import NDArray

from robot_agent.errors import BodyError

MOST_PICTURES = 2_000
MOST_BYTES = 512_000_000


def picture_of(body: gymnasium.Env) -> NDArray[np.uint8]:
    """What `render` gives now, uint8 (height, width, 3), a copy.

    Raises:
        BodyError: it gives something else.
    """
    picture = body.render()
    if (
        not isinstance(picture, np.ndarray)
        or picture.dtype != np.uint8
        or picture.shape[2:] != (3,)
        or not picture.size
    ):
        what = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
        raise BodyError(
            f"the body's render gives {what}, expected uint8 (height, width, 3): wrap the environment with "
            "robot_agent_sim.gymnasium_env.adapt, which converts other pictures"
        )
    return picture.copy()


class Film:
    """The first pictures of an episode, as many as the memory shall hold: 2,000, or 512 MB of them.

    Args:
        body: it is rendered.
    """

    def __init__(self, body: gymnasium.Env) -> None:
        self.body = body
        self._frames: list[NDArray[np.uint8]] = []

    @property
    def is_full(self) -> bool:
        """Whether no more are taken."""
        taken = len(self._frames)
        return bool(taken) and (taken >= MOST_PICTURES or (taken + 1) * self._frames[0].nbytes > MOST_BYTES)

    def take(self) -> None:
        """One more picture, unless it is full.

        Raises:
            BodyError: it is no picture, or of another size than the first.
        """
        if self.is_full:
            return
        frame = picture_of(self.body)
        if self._frames and frame.shape != self._frames[0].shape:
            raise BodyError(
                f"the body's pictures change from {self._frames[0].shape} to {frame.shape}, a video needs one size: "
                "mend its render, or leave the video out"
            )
        self._frames.append(frame)

    def frames(self) -> NDArray[np.uint8]:
        """All of them, (pictures, height, width, 3); (0, 2, 2, 3) if there are none."""
        return np.stack(self._frames) if self._frames else np.zeros((0, 2, 2, 3), np.uint8)
