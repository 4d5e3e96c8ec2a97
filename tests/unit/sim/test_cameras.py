from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
import robot_agent_sim
from robot_agent_sim.cameras.resize import resize_by_area
from robot_agent_sim.so101.tasks import ReachEnv


def image(world: str, backend: str) -> np.ndarray:
    env = robot_agent_sim.make(world, streams=("camera", "proprio"), camera_backend=backend)
    seen = env.reset(seed=1)[0]["camera/main"]
    env.close()
    return seen


@pytest.mark.parametrize(
    "world", ["dmc/cartpole-swingup", "dmc/walker-walk", "dmc/reacher-easy", "dmc/finger-turn_easy"]
)
def test_cast_rays_and_gl_see_the_same_scene(world: str) -> None:
    rendered, cast = image(world, "gl").astype(float), image(world, "raycast").astype(float)
    likeness = np.corrcoef(rendered.ravel(), cast.ravel())[0, 1]
    assert likeness > 0.85
    assert likeness > np.corrcoef(rendered.ravel(), np.flip(cast, 1).ravel())[0, 1] + 0.02, "not mirrored"


def test_the_target_is_in_the_same_place_by_rays_and_by_gl() -> None:
    def centre_of_red(seen: np.ndarray) -> np.ndarray:
        red = seen[..., 0].astype(int) - seen[..., 2] > 40
        assert red.sum() > 5
        return np.argwhere(red).mean(axis=0)

    rendered, cast = (centre_of_red(image("dmc/reacher-easy", backend)) for backend in ("gl", "raycast"))
    assert np.linalg.norm(rendered - cast) < 2.0, "pixels"


def test_a_camera_of_another_size_sees_the_same_scene() -> None:
    env = robot_agent_sim.make("dmc/walker-walk", streams=("camera",), camera_size=(128, 192), camera_backend="raycast")
    wide = env.reset(seed=1)[0]["camera/main"]
    assert wide.shape == (128, 192, 3)
    square = resize_by_area(wide[:, 32:160], (64, 64)).astype(float)
    narrow = image("dmc/walker-walk", "raycast").astype(float)
    assert np.corrcoef(square.ravel(), narrow.ravel())[0, 1] > 0.95


def test_new_terrain_is_seen_by_a_camera_that_is_already_open() -> None:
    for backend in ("gl", "raycast"):
        lived, fresh = (
            robot_agent_sim.make(
                "dmc/quadruped-escape", streams=("camera",), camera_size=(16, 16), camera_backend=backend
            )
            for _ in range(2)
        )
        lived.reset(seed=0)
        same = lived.reset(seed=1)[0]["camera/main"], fresh.reset(seed=1)[0]["camera/main"]
        assert np.array_equal(*same), backend
        lived.close()
        fresh.close()


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    environment = {name: value for name, value in environment.items() if value}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)


def test_triton_can_be_imported_after_a_gl_context() -> None:
    if importlib.util.find_spec("triton") is None:
        pytest.skip("Triton is not installed")
    ran = run_python(
        "import robot_agent_sim as sim\n"
        "env = sim.make('dmc/cartpole-swingup', streams=('camera',), camera_backend='gl')\n"
        "env.reset(seed=0)\n"
        "import triton, triton.language\n"
        "print(triton._C.libtriton.__name__)",
        MUJOCO_GL="",
    )
    assert ran.returncode == 0, f"exit status {ran.returncode}: Triton was not loaded before Mesa's LLVM\n{ran.stderr}"
    assert "libtriton" in ran.stdout
    assert ran.stderr == "", "an environment that nobody closed ends in silence"


def test_without_gl_rays_are_cast_and_the_user_is_told_once() -> None:
    ran = run_python(
        "import robot_agent_sim as sim\n"
        "for _ in range(2):\n"
        "    env = sim.make('dmc/cartpole-swingup', streams=('camera',))\n"
        "    print(env.reset(seed=0)[0]['camera/main'].std() > 5)\n"
        "    print(env.render().shape)\n",
        MUJOCO_GL="disable",
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split("\n")[:4] == ["True", "(240, 320, 3)"] * 2
    assert ran.stderr.count("camera:") == 1
    assert "ray-cast" in ran.stderr


def test_gl_that_is_asked_for_and_missing_is_an_error() -> None:
    ran = run_python(
        "import robot_agent_sim as sim\n"
        "sim.make('dmc/cartpole-swingup', streams=('camera',), camera_backend='gl').reset(seed=0)",
        MUJOCO_GL="disable",
    )
    assert ran.returncode == 1
    assert "ValueError: the camera back end gl does not work here" in ran.stderr


def test_the_environment_variable_chooses_the_back_end(monkeypatch: pytest.MonkeyPatch) -> None:
    by_rays = image("dmc/cartpole-swingup", "raycast")
    monkeypatch.setenv("ROBOT_AGENT_CAMERA", "raycast")
    env = robot_agent_sim.make("dmc/cartpole-swingup", streams=("camera",))
    assert np.array_equal(env.reset(seed=1)[0]["camera/main"], by_rays)


def test_resizing_keeps_the_mean_and_the_place() -> None:
    picture = np.zeros((90, 120, 3), np.uint8)
    picture[:45, 60:] = 200
    small = resize_by_area(picture, (7, 12))
    assert small.shape == (7, 12, 3)
    assert small.astype(float).mean() == pytest.approx(50, abs=0.5)
    assert np.all(small[:3, 6:] == 200)
    assert np.all(small[4:] == 0)
    assert np.all(small[3, 6:] == 100), "half of this row is bright"
    assert np.array_equal(resize_by_area(picture, (90, 120)), picture)


@pytest.mark.parametrize("camera", ["overhead", "wrist"])
def test_people_see_more_than_the_agent(camera: str) -> None:
    env = ReachEnv(cameras=(camera,), camera_size=(480, 640))
    picture = env.reset(seed=0)[0][f"camera/{camera}"]
    assert picture.shape == (480, 640, 3)
    assert picture.std() > 5, "there is something to see"
    env.close()
