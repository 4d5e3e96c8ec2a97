"""What a camera is, and which one a machine can have."""

from __future__ import annotations

import functools
import os
import sys
from typing import Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.cameras.gl import GlCamera
from robot_agent_sim.cameras.raycast import RaycastCamera


class Camera(Protocol):
    """A camera of a MuJoCo model, looking at one `MjData`."""

    def render(self) -> NDArray[np.uint8]:
        """The image now, (height, width, 3)."""

    def reload(self) -> None:
        """Takes over terrain that a task changed in the model, at the start of an episode."""

    def close(self) -> None:
        """Frees what the camera holds."""


def open_camera(
    model: mujoco.MjModel, data: mujoco.MjData, camera_id: int, size: tuple[int, int], backend: str = "auto"
) -> Camera:
    """Opens camera `camera_id` of `model`, of `size` (height, width) in pixels.

    Args:
        backend: `gl`, `raycast`, or `auto`: GL, and where that fails ray casting, said once on stderr.

    Raises:
        ValueError: `gl` was asked for and there is no GL.
    """
    if backend == "raycast":
        return RaycastCamera(model, data, camera_id, size)
    try:
        return GlCamera(model, data, camera_id, size)
    except Exception as error:  # every platform's GL binding has error types of its own, most not exported
        if backend == "gl":
            raise ValueError(f"the camera back end gl does not work here ({error}): use auto or raycast") from error
        _say_that_rays_are_cast(str(error))
        return RaycastCamera(model, data, camera_id, size)


@functools.cache
def _say_that_rays_are_cast(reason: str) -> None:
    remedy = "on Debian `apt-get install libegl1 libgl1-mesa-dri` brings GL"
    if os.environ.get("MUJOCO_GL") == "egl" and "mujoco.egl" not in sys.modules:
        remedy = "import robot_agent_sim before mujoco, which chooses its GL when it is imported"
    print(
        f"camera: no OpenGL here ({reason}), so images are ray-cast, flat-shaded and slower; {remedy}", file=sys.stderr
    )
