"""Which way to render on this machine; decided before MuJoCo is imported, because MuJoCo decides at import."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

CAMERA_BACKENDS = ("auto", "gl", "raycast")


def requested_backend(camera_backend: str | None) -> str:
    """The argument if given, else the environment variable `ROBOT_AGENT_CAMERA`, else `auto`.

    Raises:
        ValueError: there is no such back end.
    """
    backend = camera_backend or os.environ.get("ROBOT_AGENT_CAMERA") or "auto"
    if backend not in CAMERA_BACKENDS:
        raise ValueError(f"unknown camera backend {backend!r}, expected one of {', '.join(CAMERA_BACKENDS)}")
    return backend


def select_gl_platform() -> None:
    """Sets `MUJOCO_GL` to headless EGL on Linux, or off where libEGL is missing; a value set by the user stays."""
    if not sys.platform.startswith("linux") or os.environ.get("MUJOCO_GL"):
        return
    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError:
        os.environ["MUJOCO_GL"] = "disable"
    else:
        os.environ["MUJOCO_GL"] = "egl"


def prepare_gl_process() -> None:
    """To be called before this process loads a GL driver; importing dm_control or making a GL context loads it.

    Triton and Mesa's software renderer each bring an LLVM, and Triton's crashes the process when it is loaded
    second, so it is loaded first (and not at all where somebody has loaded the driver before us). Mesa's threads
    gain nothing on small images, and would take a core from whatever else computes.
    """
    os.environ.setdefault("LP_NUM_THREADS", "0")
    if not _mesa_llvm_is_loaded():
        with contextlib.suppress(ImportError):
            import triton  # noqa: F401


def _mesa_llvm_is_loaded() -> bool:
    with contextlib.suppress(OSError):
        return "libLLVM" in Path("/proc/self/maps").read_text(errors="replace")
    return False
