"""A camera without GL: one ray a pixel by `mj_multiRay`, shaded by the headlight."""

from __future__ import annotations

import copy

import mujoco
import numpy as np
from numpy.typing import NDArray

_VISIBLE_GROUPS = np.array([1, 1, 1, 0, 0, 0], dtype=np.uint8)
_DEFAULT_RGBA = np.array([0.5, 0.5, 0.5, 1.0], dtype=np.float32)


class RaycastCamera:
    """Camera `camera_id` of a model, ray-cast; images are (height, width, 3) uint8.

    A pixel is the colour of the geom that its ray hits (planes with their texture, so that a moving camera sees the
    ground move), times ambient light plus a headlight. There are no shadows, no tendons, no
    transparent bodies, and of sites only the spheres.
    """

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, camera_id: int, size: tuple[int, int]) -> None:
        self._source, self._data, self._camera_id, self._size = model, data, camera_id, size
        self._model = _without_body_culling(model)
        height, width = size
        half = np.tan(np.deg2rad(model.cam_fovy[camera_id]) / 2)
        y, x = np.meshgrid(
            half * (1 - (2 * np.arange(height) + 1) / height),
            half * ((2 * np.arange(width) + 1) / width - 1) * width / height,
            indexing="ij",
        )
        rays = np.stack([x, y, -np.ones_like(x)], axis=-1).reshape(-1, 3)
        self._rays_in_camera = rays / np.linalg.norm(rays, axis=1, keepdims=True)
        self._geom_id = np.empty(len(rays), dtype=np.int32)
        self._distance = np.empty(len(rays))
        self._normal = np.empty(3 * len(rays))
        self._sky = _sky_colours(model)

    def render(self) -> NDArray[np.uint8]:
        """The image now."""
        model, data = self._model, self._data
        origin = data.cam_xpos[self._camera_id]
        rays = self._rays_in_camera @ data.cam_xmat[self._camera_id].reshape(3, 3).T
        mujoco.mj_multiRay(
            model,
            data,
            origin,
            rays.ravel(),
            _VISIBLE_GROUPS,
            True,
            -1,
            self._geom_id,
            self._distance,
            self._normal,
            len(rays),
            mujoco.mjMAXVAL,
        )
        down, up = self._sky
        image = down + (rays[:, 2:] + 1) / 2 * (up - down)
        hit = self._geom_id >= 0
        geom_id, points = self._geom_id[hit], origin + rays[hit] * self._distance[hit, None]
        facing = np.abs(np.sum(self._normal.reshape(-1, 3)[hit] * rays[hit], axis=1, keepdims=True))
        image[hit] = self._surface_colours(geom_id, points) * self._light(facing)
        self._draw_sphere_sites(image, origin, rays)
        return (255 * np.clip(image, 0, 1)).astype(np.uint8).reshape(*self._size, 3)

    def reload(self) -> None:
        """Copies the model anew."""
        self._model = _without_body_culling(self._source)

    def close(self) -> None:
        """Nothing to free."""

    def _light(self, facing: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._model.vis.headlight.ambient + self._model.vis.headlight.diffuse * facing

    def _draw_sphere_sites(
        self, image: NDArray[np.float64], origin: NDArray[np.float64], rays: NDArray[np.float64]
    ) -> None:
        """Tasks mark their targets by sites, which `mj_multiRay` does not see; blended by their alpha."""
        model = self._model
        spheres = (model.site_type == int(mujoco.mjtGeom.mjGEOM_SPHERE)) & _VISIBLE_GROUPS[model.site_group].astype(
            bool
        )
        depth = np.where(self._geom_id >= 0, self._distance, np.inf)
        for site in np.flatnonzero(spheres):
            to_centre, radius = self._data.site_xpos[site] - origin, model.site_size[site, 0]
            along = rays @ to_centre
            half_chord_squared = radius**2 - (to_centre @ to_centre - along**2)
            distance = along - np.sqrt(np.maximum(half_chord_squared, 0))
            seen = (half_chord_squared > 0) & (distance > 0) & (distance < depth)
            own_colour = model.site_matid[site] < 0 or np.any(model.site_rgba[site] != _DEFAULT_RGBA)
            rgba = model.site_rgba[site] if own_colour else model.mat_rgba[model.site_matid[site]]
            facing = np.sqrt(half_chord_squared[seen, None]) / radius
            image[seen] += rgba[3] * (rgba[:3] * self._light(facing) - image[seen])

    def _surface_colours(self, geom_id: NDArray[np.int32], points: NDArray[np.float64]) -> NDArray[np.float64]:
        model = self._model
        # MuJoCo's own rule: a geom wears its material unless it was given a colour of its own.
        plain = (model.geom_matid < 0) | np.any(model.geom_rgba != _DEFAULT_RGBA, axis=1)
        palette = model.geom_rgba.astype(np.float64)
        palette[~plain] = model.mat_rgba[model.geom_matid[~plain]]
        colours = palette[geom_id, :3]
        for plane in np.flatnonzero(model.geom_type == int(mujoco.mjtGeom.mjGEOM_PLANE)):
            on_plane = geom_id == plane
            if on_plane.any():
                colours[on_plane] *= self._plane_texture(int(plane), points[on_plane])
        return colours

    def _plane_texture(self, geom: int, points: NDArray[np.float64]) -> NDArray[np.float64] | float:
        model, material = self._model, self._model.geom_matid[geom]
        texture = model.mat_texid[material, int(mujoco.mjtTextureRole.mjTEXROLE_RGB)] if material >= 0 else -1
        if texture < 0 or model.tex_type[texture] != int(mujoco.mjtTexture.mjTEXTURE_2D):
            return 1.0
        in_plane = (points - self._data.geom_xpos[geom]) @ self._data.geom_xmat[geom].reshape(3, 3)[:, :2]
        # MuJoCo lays a texture from the corner at -x, +y; an infinite plane counts as of half size 1.
        half_size = np.where(model.geom_size[geom, :2] > 0, model.geom_size[geom, :2], 1.0)
        repeats = model.mat_texrepeat[material] / 2
        if not model.mat_texuniform[material]:
            repeats = repeats / half_size
        fraction = np.mod(repeats * (half_size + in_plane * (1, -1)), 1.0)
        height, width = model.tex_height[texture], model.tex_width[texture]
        column = np.minimum((fraction[:, 0] * width).astype(int), width - 1)
        row = np.minimum((fraction[:, 1] * height).astype(int), height - 1)
        return _texels(model, texture)[row, column] / 255


def _without_body_culling(model: mujoco.MjModel) -> mujoco.MjModel:
    """A copy whose bodies have no bounding volumes: with them, `mj_multiRay` skips geoms that take part in no
    collision and lie off their body's centre (`mj_ray` hits them)."""
    copied = copy.copy(model)
    copied.body_bvhadr[:] = -1
    copied.body_bvhnum[:] = 0
    return copied


def _texels(model: mujoco.MjModel, texture: int) -> NDArray[np.uint8]:
    height, width, channels = (int(n[texture]) for n in (model.tex_height, model.tex_width, model.tex_nchannel))
    start = model.tex_adr[texture]
    texels = model.tex_data[start : start + height * width * channels].reshape(height, width, channels)
    return texels[..., :3] if channels >= 3 else np.repeat(texels[..., :1], 3, axis=-1)


def _sky_colours(model: mujoco.MjModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean colours of the sky straight down and straight up, black without a sky."""
    for texture in np.flatnonzero(model.tex_type == int(mujoco.mjtTexture.mjTEXTURE_SKYBOX)):
        texels = _texels(model, int(texture))
        faces = texels.reshape(-1, texels.shape[1], texels.shape[1], 3)  # right, left, up, down, front, back
        up, down = (faces[2], faces[3]) if len(faces) == 6 else (faces[0], faces[0])
        return down.mean(axis=(0, 1)) / 255, up.mean(axis=(0, 1)) / 255
    return np.zeros(3), np.zeros(3)
