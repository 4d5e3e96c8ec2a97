"""Recordings that are bags of ROS 2 messages: MCAP or sqlite3, one file or a folder of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.recording.board import Board
from robot_agent_calibration.recording.images import decode, from_raw
from robot_agent_calibration.recording.recording import CameraInfo, Frame, Recording, Samples
from robot_agent_calibration.recording.tables import check_stamps

if TYPE_CHECKING:
    from robot_agent_bags.bag import Bag, Recorded

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
JOINTS = ("sensor_msgs/msg/JointState",)
COMMANDS = ("trajectory_msgs/msg/JointTrajectory", "std_msgs/msg/Float64MultiArray")
CAMERA_INFO = ("sensor_msgs/msg/CameraInfo",)
BOARD = "board.yaml"


def read_bag(path: Path) -> Recording:
    """Reads joint states and commands, and which images there are; `board.yaml` is looked for beside the files.

    Joint states, trajectories and images are as of their header's stamp; a `Float64MultiArray` has none and is as of
    the time of its publication, its values in the order of the joint states. Of a trajectory the first point counts.
    Joint states that come in several messages, each of some joints, are put together at the stamps of the most frequent
    ones.

    Raises:
        CalibrationError: a file is empty, cut off or damaged, or there are two topics where one is expected.
    """
    bag = _opened(path)
    image, joint, command, info = (_only(bag, types) for types in (IMAGES, JOINTS, COMMANDS, CAMERA_INFO))
    joints, efforts = _joint_states(bag, joint)
    board = (path if path.is_dir() else path.parent) / BOARD
    return Recording(
        path=path,
        frames=_frames(bag, image),
        joints=joints,
        efforts=efforts,
        commands=_commands(bag, command, joints),
        board=Board.read(board) if board.exists() else None,
        camera_info=_camera_info(bag, info),
    )


def _opened(path: Path) -> Bag:
    """The recording, whole; whatever is wrong with it becomes one sentence."""
    try:
        from robot_agent_bags.bag import Bag
        from robot_agent_bags.errors import BagError
    except ImportError as error:
        raise CalibrationError("bags cannot be read here: pip install 'robot_agent[calibration]'") from error
    try:
        bag = Bag(path)
        topics = [
            name for name, topic in bag.topics.items() if set(topic.types) & {*IMAGES, *JOINTS, *COMMANDS, *CAMERA_INFO}
        ]
        bag.check(topics)
    except BagError as error:
        raise CalibrationError(str(error)) from error
    if bag.damages:
        raise CalibrationError(f"{bag.damages[0]}: copy it again, or repair it with `mcap recover`")
    if not bag.count:
        raise CalibrationError(f"{path} holds no messages: expected images, joint states or commands")
    return bag


def _only(bag: Bag, types: tuple[str, ...]) -> str | None:
    found = [name for name, topic in bag.topics.items() if set(topic.types) & set(types)]
    if len(found) > 1:
        raise CalibrationError(
            f"{bag.path} has {len(found)} topics of {types[0]} ({', '.join(found)}), expected one: keep that of "
            "interest, such as with `mcap filter`"
        )
    return found[0] if found else None


def _messages(bag: Bag, topic: str) -> Iterator[Recorded]:
    yield from bag.messages({topic})
    if bag.unreadable:
        raise CalibrationError(
            f"{bag.unreadable[topic]} messages of {topic} in {bag.path} are not of their type: record it again"
        )


def _seconds(header: Any) -> float:
    return float(header.stamp.sec) + 1e-9 * float(header.stamp.nanosec)


def _frames(bag: Bag, topic: str | None) -> list[Frame]:
    if topic is None:
        return []
    pictures = _Pictures(bag, topic)
    stamps = [_seconds(one.message.header) for one in _messages(bag, topic)]
    check_stamps(np.array(stamps), f"{topic} in {bag.path}")
    return [Frame(stamp, pictures.name(at), partial(pictures.load, at)) for at, stamp in enumerate(stamps)]


class _Pictures:
    """The pictures of a topic by their number from 0; asked for in order, they are read through once."""

    def __init__(self, bag: Bag, topic: str) -> None:
        self._bag, self._topic = bag, topic
        self._following: Iterator[Recorded] = iter(())
        self._next = 0

    def name(self, number: int) -> str:
        """For people, who count from 1."""
        return f"{self._topic} {number + 1}"

    def load(self, number: int) -> NDArray[np.uint8]:
        """Grey (height, width)."""
        if not self._next or number < self._next:
            self._following, self._next = _messages(self._bag, self._topic), 0
        for one in self._following:
            self._next += 1
            if self._next == number + 1:
                return self._grey(one.message, self.name(number))
        raise CalibrationError(
            f"the image {self.name(number)} is no longer in {self._bag.path}: do not change it while it is read"
        )

    def _grey(self, message: Any, name: str) -> NDArray[np.uint8]:
        if hasattr(message, "encoding"):
            shape = message.width, message.height, message.step
            return from_raw(bytes(message.data), *shape, message.encoding, name)
        return decode(bytes(message.data), name)


class _Part(NamedTuple):
    """Joint states of some joints: stamps (n,), positions and efforts (n, j), NaN where there are none."""

    names: tuple[str, ...]
    stamps: NDArray[np.float64]
    positions: NDArray[np.float64]
    efforts: NDArray[np.float64]


def _joint_states(bag: Bag, topic: str | None) -> tuple[Samples | None, Samples | None]:
    if topic is None:
        return None, None
    where = f"{topic} in {bag.path}"
    parts = sorted(_parts(bag, topic), key=lambda part: -len(part.stamps))
    for part in parts:
        check_stamps(part.stamps, where)
    stamps = parts[0].stamps
    for part in parts[1:]:
        stamps = stamps[(stamps >= part.stamps[0]) & (stamps <= part.stamps[-1])]
    if not len(stamps):
        raise CalibrationError(f"{where} has joints in several messages of different times: record them at once")
    every = tuple(name for part in parts for name in part.names)
    positions = _side_by_side(stamps, parts[0].stamps, [(part.stamps, part.positions) for part in parts])
    efforts = _side_by_side(stamps, parts[0].stamps, [(part.stamps, part.efforts) for part in parts])
    measured = np.flatnonzero(~np.isnan(positions).all(axis=0))  # a joint without an encoder is NaN throughout
    if not len(measured):
        raise CalibrationError(f"{where} has no position of {', '.join(every)} that is a number")
    joints = Samples(tuple(every[at] for at in measured), stamps, _finite(positions[:, measured], where))
    # Drivers that measure no effort send zeros or NaN, or leave it out.
    if not np.nan_to_num(efforts).any():
        return joints, None
    sensed = np.flatnonzero(~np.isnan(efforts).all(axis=0))
    names = tuple(every[at] for at in sensed)
    return joints, Samples(names, stamps, _finite(efforts[:, sensed], where, "an effort"))


def _parts(bag: Bag, topic: str) -> list[_Part]:
    """Joint states by the joints that their messages name; each joint is in the messages of one kind."""
    kinds: dict[frozenset[str], list[Any]] = {}
    for number, one in enumerate(_messages(bag, topic), start=1):
        content, own = one.message, frozenset(one.message.name)
        strange = any(own & other for other in kinds if other != own)
        if strange or not own or not len(own) == len(content.name) == len(content.position):
            expected = next(iter(kinds.values()))[0].name if kinds else sorted(own)
            raise CalibrationError(
                f"message {number} of {topic} in {bag.path} has {len(content.position)} positions of "
                f"{', '.join(content.name) or 'no joint'}, expected one each of {', '.join(expected) or 'some joints'}"
            )
        kinds.setdefault(own, []).append(content)
    return [_part(messages) for messages in kinds.values()]


def _part(messages: Sequence[Any]) -> _Part:
    names = tuple(messages[0].name)
    orders = [[list(content.name).index(name) for name in names] for content in messages]
    positions = [np.asarray(content.position)[order] for content, order in zip(messages, orders, strict=True)]
    efforts = np.full((len(messages), len(names)), np.nan)
    if all(len(content.effort) == len(names) for content in messages):
        efforts = np.array([np.asarray(content.effort)[order] for content, order in zip(messages, orders, strict=True)])
    return _Part(names, np.array([_seconds(content.header) for content in messages]), np.array(positions), efforts)


def _side_by_side(
    stamps: NDArray[np.float64],
    own: NDArray[np.float64],
    parts: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> NDArray[np.float64]:
    """Columns of several signals at some stamps: those of `own` as they are, the others between their neighbours."""
    tables = [
        values[np.isin(at, stamps)] if at is own else np.stack([np.interp(stamps, at, one) for one in values.T], axis=1)
        for at, values in parts
    ]
    return np.concatenate(tables, axis=1)


def _commands(bag: Bag, topic: str | None, joints: Samples | None) -> Samples | None:
    if topic is None:
        return None
    names: tuple[str, ...] = joints.names if joints else ()
    stamps, values = [], []
    for number, one in enumerate(_messages(bag, topic), start=1):
        content = one.message
        if hasattr(content, "joint_names"):
            names = names or tuple(content.joint_names)
            positions = np.array(content.points[0].positions if content.points else [], np.float64)
            own = tuple(content.joint_names)
            stamps.append(_seconds(content.header) or one.published)
        else:
            positions, own = np.array(content.data, np.float64), names
            stamps.append(one.published)
        if set(own) != set(names) or len(positions) != len(names) or not names:
            raise CalibrationError(
                f"message {number} of {topic} in {bag.path} commands {len(positions)} joints, expected "
                f"{', '.join(names) or 'joint states that name them'}"
            )
        values.append(positions[[own.index(name) for name in names]])
    check_stamps(np.array(stamps), f"{topic} in {bag.path}")
    return Samples(names, np.array(stamps), _finite(np.stack(values), f"{topic} in {bag.path}"))


def _finite(table: NDArray[np.float64], where: str, what: str = "a position") -> NDArray[np.float64]:
    bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(bad):
        raise CalibrationError(f"message {bad[0] + 1} of {where} has {what} that is no finite number")
    return table


def _camera_info(bag: Bag, topic: str | None) -> CameraInfo | None:
    if topic is None:
        return None
    content = next(_messages(bag, topic)).message
    return CameraInfo(
        int(content.width),
        int(content.height),
        str(content.distortion_model),
        np.array(content.d, np.float64),
        np.array(content.k, np.float64).reshape(3, 3),
    )
