"""Recordings that are MCAP files of ROS 2 messages."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.recording.board import Board
from robot_agent_calibration.recording.images import decode, from_raw
from robot_agent_calibration.recording.recording import CameraInfo, Frame, Recording, Samples
from robot_agent_calibration.recording.tables import check_stamps

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
JOINTS = ("sensor_msgs/msg/JointState",)
COMMANDS = ("trajectory_msgs/msg/JointTrajectory", "std_msgs/msg/Float64MultiArray")
CAMERA_INFO = ("sensor_msgs/msg/CameraInfo",)
BOARD = "board.yaml"


def read_mcap(path: Path) -> Recording:
    """Reads joint states and commands, and where each image lies; `board.yaml` is looked for beside the file.

    Joint states, trajectories and images are as of their header's stamp; a `Float64MultiArray` has none and is as of
    the time of its publication, its values in the order of the joint states. Of a trajectory the first point counts.

    Raises:
        CalibrationError: the file is empty, cut off or damaged, or holds two topics where one is expected.
    """
    with _opened(path) as reader:
        topics = _topics(path, reader)
        image, joint, command, info = (_only(path, topics, types) for types in (IMAGES, JOINTS, COMMANDS, CAMERA_INFO))
        joints, efforts = _joint_states(path, reader, joint)
        return Recording(
            path=path,
            frames=_frames(path, reader, image),
            joints=joints,
            efforts=efforts,
            commands=_commands(path, reader, command, joints),
            board=Board.read(path.parent / BOARD) if (path.parent / BOARD).exists() else None,
            camera_info=_camera_info(reader, info),
        )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The reader of a file; whatever is wrong with the file becomes one sentence."""
    try:
        from mcap.exceptions import McapError
        from mcap.reader import make_reader
        from mcap_ros2.decoder import DecoderFactory
    except ImportError as error:
        raise CalibrationError("MCAP cannot be read here: pip install 'robot_agent[calibration]'") from error
    if not path.stat().st_size:
        raise CalibrationError(f"{path} is empty: record again, and end the recorder before copying its file")
    try:
        file = path.open("rb")
    except OSError as error:
        raise CalibrationError(f"cannot read {path} ({error.strerror})") from error
    try:
        with file:
            yield make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
    except (McapError, struct.error, OSError, EOFError, RuntimeError, UnicodeDecodeError) as error:
        raise CalibrationError(
            f"{path} is cut off or damaged ({type(error).__name__} {' '.join(str(error).split())}".rstrip()
            + "): copy it again, or repair it with `mcap recover`"
        ) from error


def _topics(path: Path, reader: Any) -> dict[str, str]:
    """Types by topic."""
    summary = reader.get_summary()
    if summary is None:
        raise CalibrationError(f"{path} has no index: it was cut off, repair it with `mcap recover`")
    counts = summary.statistics.channel_message_counts if summary.statistics else {}
    topics = {}
    for channel in summary.channels.values():
        schema = summary.schemas.get(channel.schema_id)
        if schema is not None and counts.get(channel.id, 1):
            topics[channel.topic] = schema.name
    if not topics:
        raise CalibrationError(f"{path} holds no messages: expected images, joint states or commands")
    return topics


def _only(path: Path, topics: dict[str, str], types: tuple[str, ...]) -> str | None:
    found = sorted(topic for topic, kind in topics.items() if kind in types)
    if len(found) > 1:
        raise CalibrationError(
            f"{path} has {len(found)} topics of {types[0]} ({', '.join(found)}), expected one: keep that of interest, "
            "such as with `mcap filter`"
        )
    return found[0] if found else None


def _messages(reader: Any, topic: str) -> Iterator[tuple[Any, Any]]:
    for decoded in reader.iter_decoded_messages(topics=[topic]):
        yield decoded.message, decoded.decoded_message


def _seconds(header: Any) -> float:
    return float(header.stamp.sec) + 1e-9 * float(header.stamp.nanosec)


def _frames(path: Path, reader: Any, topic: str | None) -> list[Frame]:
    frames: list[Frame] = []
    if topic is None:
        return frames
    for number, (message, content) in enumerate(_messages(reader, topic), start=1):
        name = f"{topic} {number}"
        frames.append(Frame(_seconds(content.header), name, partial(_load, path, topic, message.log_time, name)))
    check_stamps(np.array([frame.stamp for frame in frames]), f"{topic} in {path}")
    return frames


def _load(path: Path, topic: str, log_time: int, name: str) -> NDArray[np.uint8]:
    with _opened(path) as reader:
        for found in reader.iter_decoded_messages(topics=[topic], starting_at=log_time, ending_at=log_time):
            content = found.decoded_message
            if hasattr(content, "encoding"):
                shape = content.width, content.height, content.step
                return from_raw(bytes(content.data), *shape, content.encoding, name)
            return decode(bytes(content.data), name)
    raise CalibrationError(f"the image {name} is no longer in {path}: do not change it while it is read")


def _joint_states(path: Path, reader: Any, topic: str | None) -> tuple[Samples | None, Samples | None]:
    if topic is None:
        return None, None
    names: tuple[str, ...] = ()
    stamps, positions, efforts = [], [], []
    for number, (_, content) in enumerate(_messages(reader, topic), start=1):
        names = names or tuple(content.name)
        if set(content.name) != set(names) or len(content.position) != len(names):
            raise CalibrationError(
                f"message {number} of {topic} in {path} has {len(content.position)} positions of "
                f"{', '.join(content.name) or 'no joint'}, expected one each of {', '.join(names)}"
            )
        order = [list(content.name).index(name) for name in names]
        stamps.append(_seconds(content.header))
        positions.append(np.array(content.position, np.float64)[order])
        if len(content.effort) == len(names):
            efforts.append(np.array(content.effort, np.float64)[order])
    at = np.array(stamps)
    check_stamps(at, f"{topic} in {path}")
    table = _finite(np.stack(positions), f"{topic} in {path}")
    forces = np.stack(efforts) if len(efforts) == len(stamps) else np.zeros((0, len(names)))
    # Drivers that measure no effort send zeros or NaN.
    if not np.nan_to_num(forces).any():
        return Samples(names, at, table), None
    return Samples(names, at, table), Samples(names, at, _finite(forces, f"{topic} in {path}", "an effort"))


def _commands(path: Path, reader: Any, topic: str | None, joints: Samples | None) -> Samples | None:
    if topic is None:
        return None
    names: tuple[str, ...] = joints.names if joints else ()
    stamps, values = [], []
    for number, (message, content) in enumerate(_messages(reader, topic), start=1):
        if hasattr(content, "joint_names"):
            names = names or tuple(content.joint_names)
            positions = np.array(content.points[0].positions if content.points else [], np.float64)
            own = tuple(content.joint_names)
            stamps.append(_seconds(content.header) or message.publish_time * 1e-9)
        else:
            positions, own = np.array(content.data, np.float64), names
            stamps.append(message.publish_time * 1e-9)
        if set(own) != set(names) or len(positions) != len(names) or not names:
            raise CalibrationError(
                f"message {number} of {topic} in {path} commands {len(positions)} joints, expected "
                f"{', '.join(names) or 'joint states that name them'}"
            )
        values.append(positions[[own.index(name) for name in names]])
    check_stamps(np.array(stamps), f"{topic} in {path}")
    return Samples(names, np.array(stamps), _finite(np.stack(values), f"{topic} in {path}"))


def _finite(table: NDArray[np.float64], where: str, what: str = "a position") -> NDArray[np.float64]:
    bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(bad):
        raise CalibrationError(f"message {bad[0] + 1} of {where} has {what} that is no finite number")
    return table


def _camera_info(reader: Any, topic: str | None) -> CameraInfo | None:
    if topic is None:
        return None
    _, content = next(_messages(reader, topic))
    return CameraInfo(
        int(content.width),
        int(content.height),
        str(content.distortion_model),
        np.array(content.d, np.float64),
        np.array(content.k, np.float64).reshape(3, 3),
    )
