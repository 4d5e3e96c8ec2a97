"""All cameras of one simulated world, opened when they are first asked for."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.cameras.camera import Camera, open_camera
from robot_agent_sim.cameras.platform import requested_backend


class CameraRig:
    """The cameras of a model by name, looking at one `MjData`.

    Args:
        model: with the cameras.
        data: what they look at.
        backend: see `robot_agent_sim.make`.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, backend: str | None = None) -> None:
        self._model, self._data = model, data
        self._backend = requested_backend(backend)
        self._open: dict[tuple[str, tuple[int, int]], Camera] = {}

    def image(self, camera: str, size: tuple[int, int]) -> NDArray[np.uint8]:
        """What a camera sees now, uint8 (height, width, 3) for a `size` of (height, width) in pixels."""
        opened = self._open.get((camera, size))
        if opened is None:
            camera_id = self._model.camera(camera).id
            opened = open_camera(self._model, self._data, camera_id, size, self._backend)
            self._open[camera, size] = opened
        return opened.render()

    def reload(self) -> None:
        """To be called after the model changed: cameras that hold a copy of it take a new one."""
        for camera in self._open.values():
            camera.reload()

    def close(self) -> None:
        """Frees them all."""
        while self._open:
            self._open.popitem()[1].close()
