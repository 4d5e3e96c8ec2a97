"""Recordings: what was written is read, and every fault is one sentence that names its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mcap_ros2.writer import Writer
from robot_agent_calibration.errors import CalibrationError
from robot_agent_calibration.recording import Board, Recording, Samples, open_recording
from robot_agent_calibration.recording.tables import write_rows, write_samples

NAMES = ("shoulder", "elbow")
STAMPS = np.arange(8) * 0.1 + 5.0
POSITIONS = np.random.default_rng(0).normal(size=(8, 2)).round(6)
IMAGES = np.random.default_rng(1).integers(0, 255, (3, 6, 9), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole recording."""
    (tmp_path / "images").mkdir()
    for index, image in enumerate(IMAGES):
        cv2.imwrite(str(tmp_path / "images" / f"{index}.png"), image)
    write_rows(tmp_path / "frames.csv", ["stamp", "file"], [[f"{5 + i / 10}", f"{i}.png"] for i in range(3)])
    write_samples(tmp_path / "joints.csv", Samples(NAMES, STAMPS, POSITIONS))
    write_samples(tmp_path / "commands.csv", Samples(NAMES, STAMPS, POSITIONS + 1))
    (tmp_path / "board.yaml").write_text(Board().to_yaml())
    return tmp_path


MESSAGES = {
    "sensor_msgs/msg/JointState": (
        "std_msgs/Header header\nstring[] name\nfloat64[] position\nfloat64[] velocity\nfloat64[] effort"
    ),
    "sensor_msgs/msg/Image": (
        "std_msgs/Header header\nuint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\nuint32 step\n"
        "uint8[] data"
    ),
    "sensor_msgs/msg/CompressedImage": "std_msgs/Header header\nstring format\nuint8[] data",
    "sensor_msgs/msg/CameraInfo": (
        "std_msgs/Header header\nuint32 height\nuint32 width\nstring distortion_model\nfloat64[] d\nfloat64[9] k\n"
        "float64[9] r\nfloat64[12] p\nuint32 binning_x\nuint32 binning_y\nsensor_msgs/RegionOfInterest roi"
    ),
    "std_msgs/msg/Float64MultiArray": "std_msgs/MultiArrayLayout layout\nfloat64[] data",
}
HEADER = (
    f"\n{'=' * 80}\nMSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n{'=' * 80}\n"
    f"MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n{'=' * 80}\n"
    "MSG: std_msgs/MultiArrayLayout\nstd_msgs/MultiArrayDimension[] dim\nuint32 data_offset\n"
    f"{'=' * 80}\nMSG: std_msgs/MultiArrayDimension\nstring label\nuint32 size\nuint32 stride\n"
    f"{'=' * 80}\nMSG: sensor_msgs/RegionOfInterest\nuint32 x_offset\nuint32 y_offset\nuint32 height\nuint32 width\n"
    "bool do_rectify"
)


def write_mcap(path: Path, messages: list[tuple[str, str, float, dict[str, Any]]]) -> None:
    """Messages as (topic, type, time in s, content without a header)."""
    with path.open("wb") as file:
        writer = Writer(file)
        schemas = {kind: writer.register_msgdef(kind, text + HEADER) for kind, text in MESSAGES.items()}
        for topic, kind, at, content in messages:
            nanoseconds = round(at * 1e9)
            stamp = {"sec": nanoseconds // 10**9, "nanosec": nanoseconds % 10**9}
            header = {} if "Float64" in kind else {"header": {"stamp": stamp, "frame_id": "camera"}}
            writer.write_message(topic, schemas[kind], {**header, **content}, nanoseconds, nanoseconds)
        writer.finish()


def whole() -> list[tuple[str, str, float, dict[str, Any]]]:
    messages: list[tuple[str, str, float, dict[str, Any]]] = []
    for stamp, row in zip(STAMPS, POSITIONS, strict=True):
        # Joint states may name the joints in any order, message by message.
        back = row[::-1].tolist()
        joints = {"name": NAMES[::-1], "position": back, "velocity": [], "effort": [2 * value for value in back]}
        messages.append(("/joint_states", "sensor_msgs/msg/JointState", stamp, joints))
        commands = {"layout": {"dim": [], "data_offset": 0}, "data": (row + 1).tolist()}
        messages.append(("/commands", "std_msgs/msg/Float64MultiArray", stamp, commands))
    messages[0][3].update(name=NAMES, position=POSITIONS[0].tolist(), effort=(POSITIONS[0] * 2).tolist())
    for index, image in enumerate(IMAGES):
        raw = {"height": 6, "width": 9, "encoding": "mono8", "is_bigendian": 0, "step": 9, "data": image.tobytes()}
        messages.append(("/image", "sensor_msgs/msg/Image", 5 + index / 10, raw))
    matrix = [500.0, 0, 320, 0, 501, 240, 0, 0, 1]
    info = {"height": 480, "width": 640, "distortion_model": "plumb_bob", "d": [0.1] * 5, "k": matrix}
    info |= {"r": [0.0] * 9, "p": [0.0] * 12, "binning_x": 0, "binning_y": 0}
    info["roi"] = {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False}
    messages.append(("/info", "sensor_msgs/msg/CameraInfo", 5.0, info))
    return messages


def check(recording: Recording) -> None:
    joints = recording.need_joints()
    assert joints.names == NAMES
    np.testing.assert_allclose(joints.stamps, STAMPS, atol=1e-6)
    np.testing.assert_allclose(joints.values, POSITIONS, atol=1e-6)
    np.testing.assert_allclose(recording.need_commands().values, POSITIONS + 1, atol=1e-6)
    assert [frame.stamp for frame in recording.need_frames()] == pytest.approx([5.0, 5.1, 5.2])
    for frame, image in zip(recording.need_frames(), IMAGES, strict=True):
        np.testing.assert_array_equal(frame.image(), image)


def test_a_folder_is_read(folder: Path):
    recording = open_recording(folder)
    check(recording)
    assert recording.need_board() == Board()


@pytest.mark.parametrize("filler", [0.0, float("nan")])
def test_efforts_that_a_driver_only_fills_in_are_none(tmp_path: Path, filler: float):
    messages = whole()
    for message in messages:
        if "effort" in message[3]:
            message[3]["effort"] = [filler] * len(NAMES)
    write_mcap(tmp_path / "a.mcap", messages)
    assert open_recording(tmp_path / "a.mcap").efforts is None


def test_an_effort_that_is_no_number_is_refused(tmp_path: Path):
    messages = whole()
    messages[0][3]["effort"] = [float("nan")] * len(NAMES)
    write_mcap(tmp_path / "a.mcap", messages)
    with pytest.raises(
        CalibrationError, match=r"message 1 of /joint_states in .* has an effort that is no finite number"
    ):
        open_recording(tmp_path / "a.mcap")


def test_an_mcap_file_says_the_same(tmp_path: Path):
    write_mcap(tmp_path / "a.mcap", whole())
    (tmp_path / "board.yaml").write_text(Board(legacy=True).to_yaml())
    recording = open_recording(tmp_path / "a.mcap")
    check(recording)
    assert recording.need_board().legacy
    assert recording.efforts is not None
    np.testing.assert_allclose(recording.efforts.values, POSITIONS * 2)
    assert recording.camera_info is not None
    assert recording.camera_info.matrix[1, 1] == 501


def test_compressed_images_of_one_instant_of_logging(tmp_path: Path):
    data = cv2.imencode(".png", IMAGES[0])[1].tobytes()
    message = ("/image", "sensor_msgs/msg/CompressedImage", 5.0, {"format": "png", "data": data})
    write_mcap(tmp_path / "a.mcap", [message])
    (frame,) = open_recording(tmp_path / "a.mcap").frames
    np.testing.assert_array_equal(frame.image(), IMAGES[0])


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.99])
def test_an_mcap_file_that_is_empty_or_cut_off(share: float, tmp_path: Path):
    path = tmp_path / "a.mcap"
    write_mcap(path, whole())
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CalibrationError, match="empty" if share == 0 else "cut off"):
        open_recording(path)


def test_an_mcap_file_with_nothing_in_it(tmp_path: Path):
    write_mcap(tmp_path / "a.mcap", [])
    with pytest.raises(CalibrationError, match="holds no messages"):
        open_recording(tmp_path / "a.mcap")


def test_a_recording_that_was_split_is_one(tmp_path: Path):
    messages = sorted(whole(), key=lambda message: message[2])
    (tmp_path / "take").mkdir()
    write_mcap(tmp_path / "take" / "take_0.mcap", messages[:9])
    write_mcap(tmp_path / "take" / "take_1.mcap", messages[9:])
    (tmp_path / "take" / "metadata.yaml").write_text("rosbag2_bagfile_information: {}\n")
    (tmp_path / "take" / "board.yaml").write_text(Board(legacy=True).to_yaml())
    recording = open_recording(tmp_path / "take")
    check(recording)
    assert recording.need_board().legacy


def test_messages_of_one_time_of_logging_are_distinguished(tmp_path: Path):
    """As converters leave them that know no other time than the stamps."""
    with (tmp_path / "a.mcap").open("wb") as file:
        writer = Writer(file)
        schemas = {kind: writer.register_msgdef(kind, text + HEADER) for kind, text in MESSAGES.items()}
        for topic, kind, at, content in whole():
            if "Float64" not in kind:
                seconds, nanoseconds = divmod(round(at * 1e9), 10**9)
                header = {"stamp": {"sec": seconds, "nanosec": nanoseconds}, "frame_id": ""}
                writer.write_message(topic, schemas[kind], {"header": header, **content}, 7, 7)
        writer.finish()
    frames = open_recording(tmp_path / "a.mcap").need_frames()
    for order in (range(3), (2, 0, 1, 1)):
        for index in order:
            np.testing.assert_array_equal(frames[index].image(), IMAGES[index])


@pytest.mark.parametrize("missing", [[], [float("nan")]])
def test_joint_states_in_two_messages_are_put_together(missing: list[float], tmp_path: Path):
    """One of them is of a gripper that measures no effort, with stamps between those of the arm and half as often."""
    messages = []
    for stamp, row in zip(STAMPS, POSITIONS, strict=True):
        arm = {"name": NAMES, "position": row.tolist(), "velocity": [], "effort": [1.0, 2.0]}
        messages.append(("/joint_states", "sensor_msgs/msg/JointState", stamp, arm))
    for stamp in STAMPS[:-1:2] + 0.05:
        gripper = {"name": ["gripper"], "position": [2 * stamp], "velocity": [], "effort": missing}
        messages.append(("/joint_states", "sensor_msgs/msg/JointState", stamp, gripper))
    write_mcap(tmp_path / "a.mcap", sorted(messages, key=lambda message: message[2]))
    recording = open_recording(tmp_path / "a.mcap")
    joints = recording.need_joints()
    assert joints.names == (*NAMES, "gripper")
    np.testing.assert_allclose(joints.stamps, STAMPS[1:7], atol=1e-6)
    np.testing.assert_allclose(joints.values[:, :2], POSITIONS[1:7], atol=1e-6)
    np.testing.assert_allclose(joints.values[:, 2], 2 * STAMPS[1:7], atol=1e-6)
    assert recording.efforts is not None
    assert recording.efforts.names == NAMES
    np.testing.assert_allclose(recording.efforts.values, [[1.0, 2.0]] * 6)


def test_messages_that_share_some_joints_are_refused(tmp_path: Path):
    messages = []
    for number, stamp in enumerate(STAMPS):
        names = NAMES if number % 2 else NAMES[:1]
        state = {"name": names, "position": [0.0] * len(names), "velocity": [], "effort": []}
        messages.append(("/joint_states", "sensor_msgs/msg/JointState", stamp, state))
    write_mcap(tmp_path / "a.mcap", messages)
    with pytest.raises(
        CalibrationError, match=r"message 2 .* has 2 positions of shoulder, elbow, expected one each of sh"
    ):
        open_recording(tmp_path / "a.mcap")


def test_two_cameras_in_one_file(tmp_path: Path):
    messages = whole()
    write_mcap(tmp_path / "a.mcap", [*messages, ("/other", *messages[-2][1:])])
    with pytest.raises(CalibrationError, match="2 topics of sensor_msgs/msg/Image"):
        open_recording(tmp_path / "a.mcap")


def test_swapped_stamps_of_messages(tmp_path: Path):
    messages = whole()
    joints = [index for index, message in enumerate(messages) if message[0] == "/joint_states"]
    first, second = joints[3], joints[4]
    (*head, content), (*tail, other) = messages[first], messages[second]
    messages[first], messages[second] = (*head, other), (*tail, content)  # contents alone: nobody can see that
    write_mcap(tmp_path / "a.mcap", messages)
    open_recording(tmp_path / "a.mcap")
    stamp, later = messages[first][2], messages[second][2]
    messages[first] = (*messages[first][:2], later, messages[first][3])
    messages[second] = (*messages[second][:2], stamp, messages[second][3])
    with (tmp_path / "b.mcap").open("wb") as file:  # logged in order, stamped out of order
        writer = Writer(file)
        schema = writer.register_msgdef(joint := "sensor_msgs/msg/JointState", MESSAGES[joint] + HEADER)
        for number, index in enumerate(joints):
            at = round(messages[index][2] * 1e9)
            header = {"stamp": {"sec": at // 10**9, "nanosec": at % 10**9}, "frame_id": ""}
            writer.write_message("/joint_states", schema, {"header": header, **messages[index][3]}, number, number)
        writer.finish()
    with pytest.raises(CalibrationError, match=r"message 5 .* is earlier than message 4"):
        open_recording(tmp_path / "b.mcap")


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("joints.csv", "", "is empty"),
        ("joints.csv", "stamp,a\n", "is empty"),
        ("joints.csv", "time,a\n0,1\n", "expected stamp and then a column a joint"),
        ("joints.csv", "stamp,a,a\n0,1,1\n", "two columns of one name"),
        ("joints.csv", "stamp,a\n0,1\n0.1,x\n", "a in line 3 of .* is 'x'"),
        ("joints.csv", "stamp,a\n0,1\n0.1,nan\n", "a in line 3 of .* is 'nan'"),
        ("joints.csv", "stamp,a\n0,1\n0.1\n", "line 3 of .* has 1 cells, expected 2"),
        ("joints.csv", "stamp,a\n0,1\n0.2,1\n0.1,1\n", "line 4 .* is earlier than line 3"),
        ("commands.csv", "stamp,a\n0,1\n0,1\n", "line 3 .* is the same as line 2"),
        ("frames.csv", "stamp,name\n0,0.png\n", "expected stamp,file"),
        ("frames.csv", "stamp,file\nnow,0.png\n", "stamp in line 2 of .* is 'now'"),
        ("frames.csv", "stamp,file\n1,0.png\n0,1.png\n", "line 3 .* is earlier than line 2"),
        ("frames.csv", "stamp,file\n1,9.png\n", "names 9.png, which is not in"),
        ("board.yaml", "squares: [8, 6]\n", "lacks 'dictionary'"),
        ("board.yaml", "a: [", "cannot be read as YAML"),
        ("board.yaml", Board().to_yaml().replace("0.022", "0.04"), "the marker's smaller"),
        ("board.yaml", Board().to_yaml() + "rows: 3\n", "unknown field 'rows'"),
        ("board.yaml", Board().to_yaml() + "first_marker: -1\n", "first_marker in .* is -1"),
    ],
)
def test_a_fault_in_a_table_is_named(file: str, text: str, sentence: str, folder: Path):
    (folder / file).write_text(text)
    with pytest.raises(CalibrationError, match=sentence):
        open_recording(folder)


def test_a_damaged_image_is_named_when_it_is_looked_at(folder: Path):
    path = folder / "images" / "1.png"
    path.write_bytes(path.read_bytes()[:40])
    frames = open_recording(folder).frames
    frames[0].image()
    with pytest.raises(CalibrationError, match=r"1\.png cannot be decoded"):
        frames[1].image()


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_pictures_of_more_than_8_bits_keep_their_highest(bits: int, folder: Path):
    image = IMAGES[0].copy()
    image[0, 0] = 255
    cv2.imwrite(str(folder / "images" / "0.png"), image.astype(np.uint16) << (bits - 8))
    np.testing.assert_array_equal(open_recording(folder).frames[0].image(), image)


def test_pictures_of_numbers_that_are_no_integers_are_refused(folder: Path):
    cv2.imwrite(str(folder / "images" / "0.tiff"), IMAGES[0].astype(np.float32))
    (folder / "images" / "0.png").write_bytes((folder / "images" / "0.tiff").read_bytes())
    with pytest.raises(CalibrationError, match="pixels of float32, expected integers"):
        open_recording(folder).frames[0].image()


def test_what_was_not_recorded_is_asked_for(tmp_path: Path):
    with pytest.raises(CalibrationError, match="holds no recording"):
        open_recording(tmp_path)
    with pytest.raises(CalibrationError, match="there is no recording"):
        open_recording(tmp_path / "a")
    write_samples(tmp_path / "joints.csv", Samples(NAMES, STAMPS, POSITIONS))
    recording = open_recording(tmp_path)
    for need in (recording.need_frames, recording.need_commands, recording.need_board):
        with pytest.raises(CalibrationError, match=r"put board|record"):
            need()
