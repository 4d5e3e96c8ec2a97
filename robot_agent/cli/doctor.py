"""`robot-agent doctor`: what works on this machine, and what to install."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import get_args

import tyro

GL_PROBE = """
import contextlib
with contextlib.suppress(ImportError):
    import triton
import mujoco
context = mujoco.GLContext(64, 64)
context.make_current()
context.free()
"""
APT_GL = "apt-get install -y libegl1 libgl1-mesa-dri"
SMALLEST_DISK_GB = 2.0


@dataclass(frozen=True)
class DoctorCommand:
    """Says what works on this machine: Python, cores, torch and GPU, the camera's GL, video, ROS, disk."""

    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's: `state` is ok, missing or broken; `needed` if nothing works without it."""

    what: str
    state: str
    detail: str
    needed: bool = False


def parse(argv: Sequence[str]) -> DoctorCommand:
    """The command line as a config; raises SystemExit on flags that there are not."""
    return tyro.cli(DoctorCommand, args=list(argv), prog="robot-agent doctor")


def run(argv: Sequence[str]) -> int:
    """Runs the command; returns 0 if learning on the CPU can work, else 1."""
    command = parse(argv)
    findings = examine()
    if command.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        width = max(len(finding.what) for finding in findings)
        for finding in findings:
            print(f"{finding.state:<8} {finding.what:<{width}}  {finding.detail}")
    return int(any(finding.needed and finding.state != "ok" for finding in findings))


def examine() -> list[Finding]:
    """Every finding; a probe that fails is a finding as well."""
    findings = []
    for probe in PROBES:
        try:
            findings.append(probe())
        except Exception as error:  # whatever is wrong with one part must not hide the others
            findings.append(Finding(probe.__name__.strip("_"), "broken", f"{type(error).__name__}: {error}"))
    return findings


def _python() -> Finding:
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    detail = platform.python_version() + ("" if good else ", expected 3.11 to 3.13")
    return Finding("python", "ok" if good else "broken", detail, needed=True)


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    hint = "" if cores > 1 else ": acting and learning share it, add --deterministic"
    return Finding("cores", "ok", f"{cores}{hint}")


def _torch() -> Finding:
    try:
        import torch
    except ImportError:
        return Finding("torch", "missing", "pip install robot_agent", needed=True)
    return Finding("torch", "ok", torch.__version__, needed=True)


def _rollout() -> Finding:
    from robot_agent_kernels import BuildError, Precision
    from robot_agent_kernels.rollout.native import library

    compiled = []
    reason = ""
    for precision in get_args(Precision):
        try:
            library(precision)
            compiled.append(precision)
        except BuildError as error:
            reason = reason or str(error)
    if not compiled:
        return Finding("fast rollout", "missing", f"plans take two to three times as long on this CPU: {reason}")
    return Finding("fast rollout", "ok", f"compiled for this CPU, {', '.join(compiled)}")


def _gpu() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return Finding("gpu", "missing", "no CUDA device; the CPU is used")
    return Finding("gpu", "ok", torch.cuda.get_device_name())


def _triton() -> Finding:
    try:
        import triton
    except ImportError:
        return Finding("triton", "missing", "only GPU kernels need it: pip install triton")
    return Finding("triton", "ok", triton.__version__)


def _mujoco() -> Finding:
    try:
        import robot_agent_sim  # noqa: F401  (loads what MuJoCo's rendering needs in the right order)
        from mujoco import __version__ as version
    except ImportError:
        return Finding("mujoco", "missing", "pip install robot_agent", needed=True)
    return Finding("mujoco", "ok", version, needed=True)


def _gl() -> Finding:
    # In a process of its own: a driver that is broken can end it.
    environment = {"MUJOCO_GL": "egl", **os.environ}
    command = [sys.executable, "-c", GL_PROBE]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    if done.returncode == 0:
        return Finding("camera GL", "ok", f"MUJOCO_GL={environment['MUJOCO_GL']}")
    return Finding("camera GL", "missing", f"the camera is ray-cast, slower but real; for GL: sudo {APT_GL}")


def _video() -> Finding:
    import imageio_ffmpeg

    return Finding("video", "ok", f"ffmpeg {imageio_ffmpeg.get_ffmpeg_version()}")


def _ros() -> Finding:
    from importlib.util import find_spec

    if find_spec("rclpy") is None:
        return Finding("ros", "missing", "only a robot needs it")
    return Finding("ros", "ok", f"rclpy, {os.environ.get('ROS_DISTRO', 'from a wheel')}")


def _disk() -> Finding:
    free = shutil.disk_usage(".").free / 1e9
    enough = free >= SMALLEST_DISK_GB
    detail = f"{free:.0f} GB free here" + ("" if enough else f", a run with a camera wants {SMALLEST_DISK_GB:.0f}")
    return Finding("disk", "ok" if enough else "missing", detail)


PROBES: tuple[Callable[[], Finding], ...] = (
    _python,
    _cores,
    _torch,
    _rollout,
    _gpu,
    _triton,
    _mujoco,
    _gl,
    _video,
    _ros,
    _disk,
)
