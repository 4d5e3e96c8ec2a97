"""`robot-agent calibrate synthesize`: a rendered recording whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from robot_agent_calibration.arm.chain import chain_of
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.geometry import Array, quaternion_xyzw
from robot_agent_calibration.recording.folder import BOARD, COMMANDS, FRAMES, IMAGES, JOINTS
from robot_agent_calibration.recording.images import opencv
from robot_agent_calibration.recording.recording import Samples
from robot_agent_calibration.recording.tables import write_rows, write_samples
from robot_agent_calibration.synthetic.rig import Rig, arm_poses, as_recorded, random_lens, random_rig

SETTLE = 0.5
"""s that the arm stands still around each picture."""
TRAVEL = 1.0
"""s between two poses."""
RATE = 50.0
"""Joint states a second."""


@dataclass(frozen=True)
class Config:
    """Renders a recording of the SO-101 and a ChArUco board, with its truth beside it in truth.yaml."""

    camera_at: Literal["hand", "base"] = "hand"
    """Camera on the hand and the board on the table, or the camera standing and the board in the hand."""

    views: int = 40
    """Poses, with a picture each."""

    lens: Literal["plumb_bob", "equidistant"] = "plumb_bob"
    """Of the camera: a usual one or a fisheye."""

    zero_error: float = 1.0
    """Largest error of a joint's zero, degrees."""

    ratio_error: float = 0.0
    """Largest error of a gear ratio; 0.01 is 1 %."""

    backlash: float = 1.0
    """All of the free play of each joint, degrees; poses are reached from both sides."""

    jitter: float = 0.002
    """Standard deviation of the stamps' errors, s."""

    image_delay: float = 0.0
    """s from an exposure to the stamp of its image."""

    blur: float = 0.5
    """Of the pictures, px."""

    noise: float = 2.0
    """Of the pictures, of 255 levels."""

    seed: int = 0
    """Of everything that is drawn."""


def make(out: Path, config: Config) -> Sequence[str]:
    """Renders a recording into the folder `out`.

    Raises:
        CalibrationError: the folder is not empty, a number is out of its range, or this machine cannot render.
    """
    from robot_agent_calibration.synthetic.scene import Optics, Scene

    _check(out, config)
    rng = np.random.default_rng(config.seed)
    rig = make_rig(rng, config)
    angles = arm_poses(rng, rig, config.views, share=0.6)
    recorded = rig.encoders.recorded(rng, angles)
    with Scene(rig, Optics(blur=config.blur, noise=config.noise)) as scene:
        pictures = [scene.picture(rng, own) for own in angles]
    cv2 = opencv()
    try:
        (out / IMAGES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CalibrationError(f"cannot write {out} ({error.strerror}): choose another folder") from error
    at = SETTLE / 2 + (SETTLE + TRAVEL) * np.arange(config.views)
    stamps = at + config.image_delay + rng.normal(0, config.jitter, config.views)
    rows = []
    for index, picture in enumerate(pictures):
        name = f"{index:04d}.png"
        cv2.imwrite(str(out / IMAGES / name), picture)
        rows.append([f"{stamps[index]:.6f}", name])
    write_rows(out / FRAMES, ["stamp", "file"], rows)
    joints, commands = _motion(rng, rig, recorded, config)
    write_samples(out / JOINTS, joints)
    write_samples(out / COMMANDS, commands)
    (out / BOARD).write_text(rig.board.to_yaml())
    (out / "truth.yaml").write_text(yaml.safe_dump(truth(rig, config), sort_keys=False))
    return [
        f"{config.views} pictures and {len(joints.stamps)} joint states in {out}, their truth in {out / 'truth.yaml'}"
    ]


def make_rig(rng: np.random.Generator, config: Config) -> Rig:
    """The rig that a configuration draws."""
    from dataclasses import replace

    rig = random_rig(rng, chain_of("so101"), config.camera_at == "hand", np.radians(config.zero_error))
    joints = len(rig.chain.names)
    encoders = replace(
        rig.encoders,
        ratios=1 + rng.uniform(-config.ratio_error, config.ratio_error, joints),
        backlash=np.radians(config.backlash),
    )
    lens = random_lens(rng, config.lens) if config.lens != "plumb_bob" else rig.lens
    return replace(rig, encoders=encoders, lens=lens)


def truth(rig: Rig, config: Config) -> dict[str, Any]:
    """What a calibration of the recording should find."""
    seen = as_recorded(rig)
    mount, other = ("gripper", "base") if rig.in_hand else ("base", "gripper")
    return {
        "camera": {name: float(value) for name, value in zip(rig.lens.names, rig.lens.parameters, strict=True)},
        "transform_camera_to_mount": _transform(mount, rig.transform_camera_to_mount),
        "transform_board_to_other": _transform(other, rig.transform_board_to_other),
        # With the zeros of the first and last joint in them, as any calibration must see them.
        "transform_camera_to_mount_as_recorded": _transform(mount, seen.transform_camera_to_mount),
        "transform_board_to_other_as_recorded": _transform(other, seen.transform_board_to_other),
        "joints": {
            name: {"offset": float(offset), "ratio": float(ratio)}
            for name, offset, ratio in zip(rig.chain.names, rig.encoders.offsets, rig.encoders.ratios, strict=True)
        },
        "image_delay": config.image_delay,
        "backlash": float(np.radians(config.backlash)),
    }


def _transform(parent: str, transform: Array) -> dict[str, Any]:
    return {
        "frame": parent,
        "translation": [float(value) for value in transform[:3, 3]],
        "rotation_xyzw": [float(value) for value in quaternion_xyzw(transform)],
    }


def _motion(rng: np.random.Generator, rig: Rig, recorded: Array, config: Config) -> tuple[Samples, Samples]:
    """The arm stands for `SETTLE`, then goes to the next pose within `TRAVEL`, smoothly."""
    total = (SETTLE + TRAVEL) * len(recorded)
    times = np.arange(0, total, 1 / RATE)
    index = np.minimum((times // (SETTLE + TRAVEL)).astype(int), len(recorded) - 1)
    share = np.clip((times - index * (SETTLE + TRAVEL) - SETTLE) / TRAVEL, 0, 1)
    smooth = share**3 * (10 - 15 * share + 6 * share**2)
    after = np.minimum(index + 1, len(recorded) - 1)
    path = recorded[index] + smooth[:, None] * (recorded[after] - recorded[index])
    step = 2 * np.pi / rig.encoders.steps
    stamps = times + np.clip(rng.normal(0, config.jitter, len(times)), -0.4 / RATE, 0.4 / RATE)
    joints = Samples(rig.chain.names, stamps, np.round(path / step) * step)
    ends = np.arange(len(recorded)) * (SETTLE + TRAVEL)
    return joints, Samples(rig.chain.names, np.maximum(ends - TRAVEL, 0) + 1e-3 * (ends == 0), recorded)


def _check(out: Path, config: Config) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CalibrationError(f"{out} is there already: name a folder that is new or empty")
    if config.views < 1:
        raise CalibrationError(f"--views is {config.views}, expected at least 1")
    for name in ("zero_error", "ratio_error", "backlash", "jitter", "blur", "noise"):
        if not 0 <= getattr(config, name) < 50:
            raise CalibrationError(f"--{name.replace('_', '-')} is {getattr(config, name)}, expected 0 to 50")
