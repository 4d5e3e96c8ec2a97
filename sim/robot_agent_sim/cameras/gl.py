"""A camera rendered by OpenGL, with the scene made cheap enough for software rendering."""

from __future__ import annotations

import atexit
import weakref

import mujoco
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.cameras.platform import prepare_gl_process


class GlCamera:
    """Camera `camera_id` of a model by MuJoCo's own renderer; images are (height, width, 3) uint8.

    A GL context belongs to the thread that made it: open and render in the same one.

    Raises:
        Exception: whatever the platform raises where no GL context can be made.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, camera_id: int, size: tuple[int, int]) -> None:
        prepare_gl_process()
        simplify_scene(model)
        height, width = size
        model.vis.global_.offheight = max(model.vis.global_.offheight, height)
        model.vis.global_.offwidth = max(model.vis.global_.offwidth, width)
        self._model, self._data, self._camera_id = model, data, camera_id
        self._renderer = mujoco.Renderer(model, height, width)
        self._renderer.scene.flags[int(mujoco.mjtRndFlag.mjRND_SHADOW)] = 0
        self._renderer.scene.flags[int(mujoco.mjtRndFlag.mjRND_REFLECTION)] = 0
        # An open context must go before MuJoCo shuts EGL down at exit, or Python ends in a page of ignored errors.
        close_if_alive = weakref.WeakMethod(self.close)
        atexit.register(lambda: (close := close_if_alive()) and close())

    def render(self) -> NDArray[np.uint8]:
        """The image now."""
        self._renderer.update_scene(self._data, self._camera_id)
        return self._renderer.render()

    def reload(self) -> None:
        """Uploads the height fields, which a task may have changed since the last episode."""
        for index in range(self._model.nhfield):
            self._renderer._gl_context.make_current()
            mujoco.mjr_uploadHField(self._model, self._renderer._mjr_context, index)

    def close(self) -> None:
        """Frees the GL context."""
        self._renderer.close()


def simplify_scene(model: mujoco.MjModel) -> None:
    """Turns off, in place, what makes software rendering 50 times slower; nothing here touches the physics.

    Shadows and multisampling go, curved surfaces get few slices, and planes lose their fine grid (a plane's third
    size is the distance of its grid lines, used for drawing only).
    """
    model.vis.quality.shadowsize = 0
    model.vis.quality.offsamples = 0
    model.vis.quality.numslices = 8
    model.vis.quality.numstacks = 8
    model.light_castshadow[:] = 0
    planes = model.geom_type == int(mujoco.mjtGeom.mjGEOM_PLANE)
    model.geom_size[planes, 2] = 1e3
