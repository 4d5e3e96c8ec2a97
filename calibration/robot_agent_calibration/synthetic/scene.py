"""Pictures of an arm and a ChArUco board as a real camera would take them.

MuJoCo's cameras are perfect pinholes. It renders a view that is wider and finer than wanted, which is then bent by the
lens model, averaged down, blurred, darkened towards the corners and given noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

import robot_agent_sim  # noqa: F401  (chooses MuJoCo's GL before MuJoCo is imported)

import mujoco  # isort: skip
import numpy as np
from numpy.typing import NDArray
from robot_agent_sim.so101.arm import JOINTS, arm_spec
from scipy import interpolate

from robot_agent_calibration.camera.detection import charuco_board
from robot_agent_calibration.camera.lens import Lens
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array
from robot_agent_calibration.recording.board import Board
from robot_agent_calibration.recording.images import opencv
from robot_agent_calibration.synthetic.rig import Rig

THICKNESS = 0.002
"""m, of the board."""
Map = NDArray[np.float32]
FLIP = np.diag([1.0, -1, -1, 1])
"""Between OpenCV's camera and board frames (y down, z forward) and MuJoCo's (y up, z backward)."""


@dataclass(frozen=True)
class Optics:
    """What a camera adds to a picture.

    Args:
        blur: standard deviation, px.
        noise: standard deviation, of 255 levels.
        vignetting: share of the light that is missing in the corners.
        oversampling: rendered pixels for each pixel of the picture, in each direction.
    """

    blur: float = 0.5
    noise: float = 2.0
    vignetting: float = 0.3
    oversampling: int = 3


class Scene:
    """Takes pictures of a rig; `with` frees its GL context.

    Args:
        rig: arm, camera and board.
        optics: of the camera.

    Raises:
        CalibrationError: there is no GL on this machine.
    """

    def __init__(self, rig: Rig, optics: Optics | None = None) -> None:
        from robot_agent_sim.cameras.gl import GlCamera

        self._rig, self._optics = rig, optics or Optics()
        self._model = _spec(rig).compile()
        self._data = mujoco.MjData(self._model)
        self._joints = [self._model.joint(name).qposadr[0] for name in rig.chain.names]
        size, self._map, fovy = _bending(rig.lens, self._optics.oversampling)
        camera = self._model.camera("calibration").id
        self._model.cam_fovy[camera] = fovy
        try:
            self._camera = GlCamera(self._model, self._data, camera, size)
        except Exception as error:  # every platform's GL binding has error types of its own, most not exported
            raise CalibrationError(
                f"pictures cannot be rendered here ({error}): on Debian apt-get install libegl1 libgl1-mesa-dri"
            ) from error
        self._shade = _shade(rig.lens, self._optics.vignetting)

    def picture(self, rng: np.random.Generator, angles: Array) -> NDArray[np.uint8]:
        """Grey (height, width) at true joint angles (j,)."""
        cv2 = opencv()
        self._data.qpos[self._joints] = angles
        self._data.qpos[self._model.joint(JOINTS[-1]).qposadr[0]] = 0.1
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_camlight(self._model, self._data)
        fine = cv2.cvtColor(self._camera.render(), cv2.COLOR_RGB2GRAY)
        bent = cv2.remap(fine, *self._map, cv2.INTER_LINEAR).astype(np.float32)
        width, height = self._rig.lens.size
        grey = cv2.resize(bent, (width, height), interpolation=cv2.INTER_AREA)
        if self._optics.blur > 0:
            grey = cv2.GaussianBlur(grey, (0, 0), self._optics.blur)
        grey = grey * self._shade + rng.normal(0, self._optics.noise, grey.shape)
        return np.asarray(np.clip(np.rint(grey), 0, 255), np.uint8)

    def close(self) -> None:
        """Frees the GL context."""
        self._camera.close()

    def __enter__(self) -> Scene:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def board_image(board: Board, pixels_a_square: int = 64) -> NDArray[np.uint8]:
    """The printed board without a margin, grey (rows, columns)."""
    size = (board.squares[0] * pixels_a_square, board.squares[1] * pixels_a_square)
    return np.asarray(charuco_board(board).generateImage(size, marginSize=0), np.uint8)


def _spec(rig: Rig) -> mujoco.MjSpec:
    spec = arm_spec()
    mount, other = ("gripper", "base") if rig.in_hand else ("base", "gripper")
    camera = rig.transform_camera_to_mount @ FLIP
    spec.body(mount).add_camera(name="calibration", pos=camera[:3, 3], quat=_quaternion(camera))
    image = np.repeat(board_image(rig.board)[..., None], 3, axis=2)
    texture = spec.add_texture(
        name="board", type=mujoco.mjtTexture.mjTEXTURE_2D, width=image.shape[1], height=image.shape[0], nchannel=3
    )
    texture.data = image.tobytes()
    material = spec.add_material(name="board", specular=0, shininess=0, texuniform=False)
    material.textures[int(mujoco.mjtTextureRole.mjTEXROLE_RGB)] = "board"
    width, height = rig.board.size
    _add_plate(spec, spec.body(other), rig.transform_board_to_other @ FLIP, (width, height))
    return spec


def _add_plate(spec: mujoco.MjSpec, body: object, frame: Array, size: tuple[float, float]) -> None:
    """A white plate with the board printed on it; `frame` lies in the board's corner with z towards the viewer."""
    width, height = size
    centre = frame @ np.array([width / 2, -height / 2, 0, 1])
    plates = (("board", "board", (1.0, 1, 1, 1), 0.0, 0.0), ("margin", "", (0.9, 0.9, 0.9, 1), 0.008, THICKNESS))
    for name, material, colour, margin, depth in plates:
        place = centre[:3] - frame[:3, 2] * (depth / 2 + 0.0002 + (0.0002 if depth else 0.0))
        body.add_geom(  # type: ignore[attr-defined]
            name=name,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=place,
            quat=_quaternion(frame),
            size=(width / 2 + margin, height / 2 + margin, max(depth / 2, 0.0002)),
            material=material,
            rgba=colour,
            contype=0,
            conaffinity=0,
        )


def _quaternion(transform: Array) -> Array:
    quaternion = np.empty(4)
    mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(transform[:3, :3]).ravel())
    return quaternion


def _bending(lens: Lens, oversampling: int) -> tuple[tuple[int, int], tuple[Map, Map], float]:
    """Size (height, width) of what is rendered, where each fine pixel of the picture comes from, and MuJoCo's fovy."""
    width, height = lens.size
    fine_x = (np.arange(width * oversampling) + 0.5) / oversampling - 0.5
    fine_y = (np.arange(height * oversampling) + 0.5) / oversampling - 0.5
    # Lenses are smooth: rays of every eighth pixel, and splines between them.
    coarse_x, coarse_y = np.linspace(-1, width, width // 8), np.linspace(-1, height, height // 8)
    x, y = np.meshgrid(coarse_x, coarse_y)
    coarse = lens.rays(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(*x.shape, 2)
    splines = [interpolate.RectBivariateSpline(coarse_y, coarse_x, coarse[..., axis]) for axis in (0, 1)]
    rays = np.stack([spline(fine_y, fine_x) for spline in splines], axis=-1)
    reach = np.abs(rays).max(axis=(0, 1)) * 1.01
    focal = min(oversampling * float(lens.parameters[0]), 1400 / float(reach.max()))
    size = (2 * int(np.ceil(focal * reach[1])), 2 * int(np.ceil(focal * reach[0])))
    map_x = (rays[..., 0] * focal + (size[1] - 1) / 2).astype(np.float32)
    map_y = (rays[..., 1] * focal + (size[0] - 1) / 2).astype(np.float32)
    return size, (map_x, map_y), float(np.degrees(2 * np.arctan(size[0] / 2 / focal)))


def _shade(lens: Lens, vignetting: float) -> NDArray[np.float32]:
    width, height = lens.size
    x, y = np.meshgrid(np.arange(width) - lens.parameters[2], np.arange(height) - lens.parameters[3])
    return np.asarray(1 - vignetting * (x**2 + y**2) / (width**2 + height**2) * 4, np.float32)
