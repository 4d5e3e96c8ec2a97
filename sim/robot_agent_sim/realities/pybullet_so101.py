"""The SO-101's official URDF in another physics engine, PyBullet, with its camera."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.realities.elsewhere import ReachElsewhere
from robot_agent_sim.realities.public_so101 import public_files
from robot_agent_sim.so101.arm import JOINTS
from robot_agent_sim.so101.tasks import MARKER_RADIUS

_TIMESTEP = 0.004
"""s, near PyBullet's own 1/240, and a whole number of them makes a frame."""
_TIP = "gripper_frame_joint"


class BulletReach(ReachElsewhere):
    """`other:pybullet`: the URDF as it is, PyBullet's own position servo with the URDF's effort and velocity limits.

    The servo is a constraint with PyBullet's default gains: no motor model, no friction, no inertia of a rotor, which
    the URDF does not tell. Pictures are drawn by PyBullet's software renderer.

    Args:
        camera_backend: has no meaning here.
        options: see `ReachElsewhere`.
    """

    def __init__(self, camera_backend: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._bullet = _quietly_imported()
        self._client = self._bullet.connect(self._bullet.DIRECT)
        self._call("setGravity", 0, 0, -9.81)
        self._call("setTimeStep", _TIMESTEP)
        self._arm = self._call("loadURDF", str(public_files() / "so101_new_calib.urdf"), useFixedBase=True)
        told = [self._call("getJointInfo", self._arm, joint) for joint in range(self._call("getNumJoints", self._arm))]
        by_name = {info[1].decode(): info for info in told}
        self._joints = [by_name[name][0] for name in JOINTS]
        self._efforts = [by_name[name][10] for name in JOINTS]
        self._speeds = [by_name[name][11] for name in JOINTS]
        self._tip_link = by_name[_TIP][0]
        self._furnish()
        self._marker = self._ball()
        camera = self.task.model.camera("overhead")
        self._view = _view_matrix(camera.pos, camera.quat)
        self._fovy = float(camera.fovy[0])

    def _call(self, function: str, *arguments: Any, **named: Any) -> Any:
        return getattr(self._bullet, function)(*arguments, physicsClientId=self._client, **named)

    def _furnish(self) -> None:
        """A table top whose upper side is the ground."""
        box, half = self._bullet.GEOM_BOX, (1.0, 1.0, 0.05)
        collision = self._call("createCollisionShape", box, halfExtents=half)
        visual = self._call("createVisualShape", box, halfExtents=half, rgbaColor=(0.42, 0.45, 0.5, 1))
        self._call("createMultiBody", 0, collision, visual, (0, 0, -half[2]))

    def _ball(self) -> int:
        ball = self._call(
            "createVisualShape", self._bullet.GEOM_SPHERE, radius=MARKER_RADIUS, rgbaColor=(0.9, 0.1, 0.15, 1)
        )
        marker: int = self._call("createMultiBody", 0, -1, ball)
        return marker

    def _put(self, positions: NDArray[np.float64], goal: NDArray[np.float64]) -> None:
        for joint, position in zip(self._joints, positions, strict=True):
            self._call("resetJointState", self._arm, joint, position, 0.0)
        self._servo(positions)
        self._call("resetBasePositionAndOrientation", self._marker, goal, (0, 0, 0, 1))

    def _servo(self, command: NDArray[np.float64]) -> None:
        for joint, position, effort, speed in zip(self._joints, command, self._efforts, self._speeds, strict=True):
            self._call(
                "setJointMotorControl2",
                self._arm,
                joint,
                self._bullet.POSITION_CONTROL,
                targetPosition=position,
                force=effort,
                maxVelocity=speed,
            )

    def _move(self, command: NDArray[np.float64], seconds: float) -> None:
        self._servo(command)
        for _ in range(round(seconds / _TIMESTEP)):
            self._call("stepSimulation")

    def _positions(self) -> NDArray[np.float64]:
        return np.array([state[0] for state in self._call("getJointStates", self._arm, self._joints)])

    def _tip(self) -> NDArray[np.float64]:
        state = self._call("getLinkState", self._arm, self._tip_link, computeForwardKinematics=True)
        return np.array(state[4])

    def _picture(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        height, width = size
        lens = self._bullet.computeProjectionMatrixFOV(self._fovy, width / height, 0.01, 10.0)
        renderer = self._bullet.ER_TINY_RENDERER
        pixels = self._call("getCameraImage", width, height, self._view, lens, shadow=0, renderer=renderer)[2]
        return np.reshape(pixels, (height, width, 4))[..., :3].astype(np.uint8)

    def close(self) -> None:
        """Ends the simulation."""
        if self._bullet.isConnected(self._client):
            self._call("disconnect")
        super().close()


def _view_matrix(position: NDArray[np.float64], quaternion: NDArray[np.float64]) -> list[float]:
    """OpenGL's view matrix, column by column, of a MuJoCo camera, which looks along its -z with y up."""
    rotation = np.empty(9)
    mujoco.mju_quat2Mat(rotation, quaternion)
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = rotation.reshape(3, 3).T
    world_to_camera[:3, 3] = -world_to_camera[:3, :3] @ position
    columns: list[float] = world_to_camera.T.ravel().tolist()
    return columns


def _quietly_imported() -> Any:
    """PyBullet, which prints when it was built as it is imported."""
    with _silent_stderr():
        return importlib.import_module("pybullet")


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """What C writes to stderr goes nowhere meanwhile."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
