"""`robot-agent calibrate` on pictures: what it writes, and the sentence that each bad recording gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from robot_agent_calibration.arm.chain import chain_of
from robot_agent_calibration.camera.lens import Lens
from robot_agent_calibration.recording import Board
from robot_agent_calibration.synthetic.rig import Rig, arm_poses, as_recorded, camera_views, random_rig
from robot_agent_sim.calibration import read_calibration
from robot_agent_sim.calibration.file import merge_sections

from robot_agent.cli.main import main
from tests.board_pictures import Photographer, write_recording

Pictures = list[NDArray[np.uint8]]
BOARD = Board((7, 5), 0.03, 0.021)
LENS = Lens("plumb_bob", np.array([300.0, 301, 158, 121, -0.1, 0.03, 0.001, -0.001, 0]), (320, 240))


def poses(count: int, board: Board = BOARD) -> list[NDArray[np.float64]]:
    return camera_views(np.random.default_rng(4), LENS, board, count, 0.0)[1]


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """A board in 14 places."""
    photographer = Photographer(LENS, BOARD)
    return [photographer.picture(pose, seed) for seed, pose in enumerate(poses(14))]


def test_a_camera_is_measured_and_written(pictures: Pictures, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    recording = write_recording(tmp_path / "recording", pictures, BOARD)
    out = tmp_path / "out" / "calibration.yaml"
    assert main(["calibrate", "camera", str(recording), "--out", str(out)]) == 0
    section = read_calibration(out)["camera"]
    for name, truth in zip(LENS.names[:4], LENS.parameters[:4], strict=True):
        estimate = section["estimates"][name]
        assert abs(estimate["value"] - truth) < max(4.5 * estimate["standard_error"], 0.3), name
    assert section["reprojection_rms"] < 0.15
    info = yaml.safe_load((out.parent / "camera_info.yaml").read_text())
    assert (info["image_width"], info["image_height"], info["distortion_model"]) == (320, 240, "plumb_bob")
    assert info["camera_matrix"]["data"][0] == section["estimates"]["fx"]["value"]
    page = (out.parent / "calibration_camera.html").read_text()
    assert "<svg" in page
    assert "data:image/jpeg" in page
    printed = capsys.readouterr().out
    assert "fx" in printed
    assert "±" in printed


# ---- other pictures of the same ----


def turned_by_exif(jpeg: bytes) -> bytes:
    """With an APP1 segment that asks viewers to turn the picture by 90°."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    exif = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01" + entry + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]


def as_turned_jpeg(picture: NDArray[np.uint8]) -> bytes:
    encoded = turned_by_exif(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())
    turned = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert turned.shape == picture.shape[::-1], "a reader that obeys EXIF would turn it"
    return encoded


def as_12_bits(picture: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", picture.astype(np.uint16) << 4)[1])


def scaled_up(picture: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", cv2.resize(picture, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC))[1])


@pytest.mark.parametrize(("encode", "scale"), [(as_turned_jpeg, 1), (as_12_bits, 1), (scaled_up, 4)])
def test_pictures_are_those_of_the_sensor(
    encode: Callable[[NDArray[np.uint8]], bytes], scale: int, pictures: Pictures, tmp_path: Path
):
    recording = write_recording(tmp_path / "recording", pictures, BOARD)
    for index, picture in enumerate(pictures):
        (recording / "images" / f"{index:02d}.png").write_bytes(encode(picture))
    out = tmp_path / "calibration.yaml"
    assert main(["calibrate", "camera", str(recording), "--out", str(out)]) == 0
    section = read_calibration(out)["camera"]
    assert section["views"] == len(pictures)
    for name, truth in zip(LENS.names[:4], LENS.parameters[:4], strict=True):
        estimate = section["estimates"][name]
        aim = scale * truth + (scale - 1) / 2 * (name in ("cx", "cy"))
        assert abs(estimate["value"] - aim) < max(4.5 * estimate["standard_error"], 0.3 * scale), name


def test_ids_of_markers_may_start_anywhere(tmp_path: Path):
    board = replace(BOARD, first_marker=20)
    photographer = Photographer(LENS, board)
    seen = [photographer.picture(pose, seed) for seed, pose in enumerate(poses(10))]
    recording = write_recording(tmp_path / "recording", seen, board)
    assert "first_marker: 20" in (recording / "board.yaml").read_text()
    assert main(["calibrate", "camera", str(recording), "--out", str(tmp_path / "calibration.yaml")]) == 0
    assert read_calibration(tmp_path / "calibration.yaml")["camera"]["views"] == 10


# ---- bad recordings of a board ----


def mirrored(recording: Path, pictures: Pictures) -> None:
    write_recording(recording, [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures], BOARD)


def mirrored_with_markers_that_survive(recording: Path, pictures: Pictures) -> None:
    """Markers that are read in a mirror as others of a larger dictionary."""
    board = replace(BOARD, dictionary="DICT_ARUCO_ORIGINAL")
    photographer = Photographer(LENS, board)
    seen = [photographer.picture(pose, seed)[:, ::-1] for seed, pose in enumerate(poses(10))]
    write_recording(recording, [np.ascontiguousarray(picture) for picture in seen], board)


def other_ids(recording: Path, pictures: Pictures) -> None:
    photographer = Photographer(LENS, replace(BOARD, first_marker=20))
    write_recording(recording, [photographer.picture(pose, seed) for seed, pose in enumerate(poses(10))], BOARD)


def ids_beyond_the_dictionary(recording: Path, pictures: Pictures) -> None:
    write_recording(recording, pictures, replace(BOARD, first_marker=40))


def fewer_squares(recording: Path, pictures: Pictures) -> None:
    write_recording(recording, pictures, replace(BOARD, squares=(9, 6)))


def larger_markers(recording: Path, pictures: Pictures) -> None:
    write_recording(recording, pictures, replace(BOARD, marker=0.026))


def blurred(recording: Path, pictures: Pictures) -> None:
    write_recording(recording, [cv2.GaussianBlur(picture, (0, 0), 3.5) for picture in pictures], BOARD)


def moved(recording: Path, pictures: Pictures) -> None:
    streak = np.full((1, 11), 1 / 11)
    write_recording(recording, [cv2.filter2D(picture, -1, streak) for picture in pictures], BOARD)


def duplicates(recording: Path, pictures: Pictures) -> None:
    write_recording(recording, pictures[:3] * 5, BOARD)


def too_few(recording: Path, pictures: Pictures) -> None:
    write_recording(recording, pictures[:5], BOARD)


def no_board(recording: Path, pictures: Pictures) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (10, *pictures[0].shape), dtype=np.uint8)
    write_recording(recording, list(noise), BOARD)


def swapped_stamps(recording: Path, pictures: Pictures) -> None:
    write_recording(recording, pictures, BOARD)
    lines = (recording / "frames.csv").read_text().splitlines()
    lines[4], lines[5] = lines[5], lines[4]
    (recording / "frames.csv").write_text("\n".join(lines))


def two_sizes(recording: Path, pictures: Pictures) -> None:
    write_recording(recording, [*pictures[:-1], pictures[-1][:200]], BOARD)


def unknown_dictionary(recording: Path, pictures: Pictures) -> None:
    write_recording(recording, pictures, replace(BOARD, dictionary="DICT_1X1_1"))


def no_description(recording: Path, pictures: Pictures) -> None:
    write_recording(recording, pictures, BOARD)
    (recording / "board.yaml").unlink()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (too_few, "5 of 5 images are of use, expected at least 8"),
        (mirrored, "show a mirrored board"),
        (mirrored_with_markers_that_survive, "9 show a mirrored board"),
        (other_ids, "board.yaml says 0 to 16, seen were 20 to 36: give the id of the first there as first_marker"),
        (ids_beyond_the_dictionary, "need those of ids 40 to 56"),
        (fewer_squares, "show a board of another size"),
        (larger_markers, "show a board of another size"),
        (blurred, "are blurred"),
        (moved, "are blurred"),
        (duplicates, "12 show the same as another image"),
        (no_board, "10 show no board"),
        (swapped_stamps, "stamps were swapped"),
        (two_sizes, "one camera has one size"),
        (unknown_dictionary, "no ArUco dictionary"),
        (no_description, "which board was filmed"),
    ],
)
def test_a_bad_recording_gets_one_sentence_and_no_result(
    spoil: Callable[[Path, Pictures], None],
    sentence: str,
    pictures: Pictures,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    spoil(tmp_path / "recording", pictures)
    check_refused(["camera", str(tmp_path / "recording")], sentence, tmp_path, capsys)


@pytest.mark.parametrize("content", [b"", b"\x89MCAP0\r\n\x01"])
def test_an_mcap_file_that_is_empty_or_cut_off(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "a.mcap").write_bytes(content)
    sentence = "cut off" if content else "is empty"
    check_refused(["camera", str(tmp_path / "a.mcap")], sentence, tmp_path, capsys)


def check_refused(argv: list[str], sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "out" / "calibration.yaml"
    assert main(["calibrate", *argv, "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1, error
    assert sentence in error[0]
    assert not out.parent.exists()


# ---- arms ----


@pytest.fixture(scope="module")
def rig() -> Rig:
    rig = random_rig(np.random.default_rng(3), chain_of("so101"), in_hand=True)
    return replace(rig, lens=LENS, encoders=replace(rig.encoders, ratios=np.ones(5)))


@pytest.fixture(scope="module")
def arm(rig: Rig) -> tuple[Pictures, NDArray[np.float64]]:
    """Pictures from the hand of an arm that stands, and the recorded angles."""
    rng = np.random.default_rng(5)
    angles = arm_poses(rng, rig, 22, share=0.7)
    photographer = Photographer(LENS, rig.board)
    views = [photographer.picture(pose, index) for index, pose in enumerate(rig.transform_board_to_camera(angles))]
    return views, rig.encoders.recorded(rng, angles)


def test_hand_eye_and_joints_are_measured_and_merged(
    rig: Rig, arm: tuple[Pictures, NDArray[np.float64]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    recording = write_recording(tmp_path / "recording", arm[0], rig.board, arm[1], rig.chain.names)
    out = tmp_path / "calibration.yaml"
    assert main(["calibrate", "hand-eye", str(recording), "--out", str(out)]) == 0
    camera = read_calibration(out)["hand_eye"]["camera"]
    truth = as_recorded(rig).transform_camera_to_mount
    assert camera["parent_frame"] == "gripper"
    for axis, value in zip("xyz", truth[:3, 3], strict=True):
        estimate = camera["translation"][axis]
        assert abs(estimate["value"] - value) < 4.5 * estimate["standard_error"] + 1e-4, axis
    assert "OpenCV's PARK alone" in capsys.readouterr().out
    assert main(["calibrate", "joints", str(recording), "--no-ratios", "--out", str(out)]) == 0
    sections = read_calibration(out)
    assert set(sections) == {"hand_eye", "joints"}
    for index in (1, 2, 3):
        estimate = sections["joints"][rig.chain.names[index]]["offset"]
        error = abs(estimate["value"] - rig.encoders.offsets[index])
        assert error < 4.5 * estimate["standard_error"]
        assert estimate["standard_error"] < np.radians(0.3)
    backlash = [sections["joints"][name]["backlash"]["value"] for name in rig.chain.names]
    assert np.degrees(np.mean(backlash)) == pytest.approx(np.degrees(rig.encoders.backlash), rel=0.35)
    assert "offset" not in sections["joints"]["shoulder_pan"]
    assert "one with the pose" in capsys.readouterr().out
    assert "<svg" in (tmp_path / "calibration_joints.html").read_text()


def test_a_square_of_another_size_is_noticed_by_the_arm(
    rig: Rig, arm: tuple[Pictures, NDArray[np.float64]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    board = replace(rig.board, square=1.2 * rig.board.square, marker=1.2 * rig.board.marker)
    recording = write_recording(tmp_path / "recording", arm[0], board, arm[1], rig.chain.names)
    check_refused(["hand-eye", str(recording)], "board.yaml says 30.0 mm", tmp_path, capsys)


@pytest.mark.parametrize(
    ("size", "sentence"), [((640, 480), "they look scaled by 0.5"), ((240, 320), "they look turned by 90°")]
)
def test_a_camera_that_was_calibrated_with_other_pictures(
    size: tuple[int, int],
    sentence: str,
    rig: Rig,
    arm: tuple[Pictures, NDArray[np.float64]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    recording = write_recording(tmp_path / "recording", arm[0], rig.board, arm[1], rig.chain.names)
    camera = {"image_width": size[0], "image_height": size[1], "distortion_model": "plumb_bob"}
    merge_sections(tmp_path / "camera.yaml", {"camera": camera})
    check_refused(["hand-eye", str(recording), "--camera", str(tmp_path / "camera.yaml")], sentence, tmp_path, capsys)


def test_pictures_that_were_swapped_are_noticed(
    rig: Rig, arm: tuple[Pictures, NDArray[np.float64]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    recording = write_recording(tmp_path / "recording", arm[0][::-1], rig.board, arm[1], rig.chain.names)
    assert main(["calibrate", "hand-eye", str(recording), "--out", str(tmp_path / "c.yaml")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "c.yaml").exists()
    two = [*arm[0][:4], arm[0][5], arm[0][4], *arm[0][6:]]
    recording = write_recording(tmp_path / "two", two, rig.board, arm[1], rig.chain.names)
    assert main(["calibrate", "hand-eye", str(recording), "--out", str(tmp_path / "c.yaml")]) == 0
    printed = capsys.readouterr().out
    assert "unusual: view 04.png" in printed
    assert "unusual: view 05.png" in printed


def test_an_arm_that_moves_or_names_its_joints_otherwise(
    rig: Rig, arm: tuple[Pictures, NDArray[np.float64]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    recording = write_recording(tmp_path / "a", arm[0], rig.board, arm[1], ["1", "2", "3", "4", "5"])
    check_refused(["hand-eye", str(recording)], "no joint 'shoulder_pan'", tmp_path, capsys)
    recording = write_recording(tmp_path / "b", arm[0], rig.board, arm[1], rig.chain.names)
    lines = (recording / "joints.csv").read_text().splitlines()
    (recording / "joints.csv").write_text("\n".join([lines[0], *lines[1::2]]))  # one sample a pose: never at rest
    check_refused(["joints", str(recording)], "while the arm stood still", tmp_path, capsys)


def test_turns_about_one_axis_are_refused(rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    start = arm_poses(np.random.default_rng(9), rig, 1, share=1.0)
    angles = np.repeat(start, 14, axis=0)
    angles[:, 0] += np.linspace(-0.12, 0.12, 14)
    rng = np.random.default_rng(1)
    photographer = Photographer(LENS, rig.board)
    # Boards that the arm does not explain, so that the camera is known and only the hand's motion is poor.
    seen = [
        photographer.picture(pose, index) for index, pose in enumerate(camera_views(rng, LENS, rig.board, 14, 0)[1])
    ]
    recording = write_recording(tmp_path / "recording", seen, rig.board, angles, rig.chain.names)
    check_refused(["hand-eye", str(recording)], "also turn", tmp_path, capsys)


def test_the_renderer_and_the_truth_agree(tmp_path: Path):
    from robot_agent_calibration.camera.detection import Finder
    from robot_agent_calibration.recording import open_recording
    from robot_agent_calibration.synthetic import synthesize
    from robot_agent_calibration.synthetic.rig import seen

    config = synthesize.Config(views=3, seed=2, backlash=0, zero_error=0)
    flags = ["--views", "3", "--seed", "2", "--backlash", "0", "--zero-error", "0"]
    assert main(["calibrate", "synthesize", str(tmp_path / "a"), *flags]) == 0
    rig = synthesize.make_rig(np.random.default_rng(2), config)
    recording = open_recording(tmp_path / "a")
    angles = recording.need_joints().at(np.array([frame.stamp for frame in recording.frames]))
    checked = 0
    for frame, pose in zip(recording.frames, rig.transform_board_to_camera(angles), strict=True):
        _, ids, pixels = Finder(rig.board).find(frame.image())
        known, true = seen(rig.lens, rig.board, pose)
        _, found, expected = np.intersect1d(ids, known, return_indices=True)
        # Encoders round to 0.044°, half a pixel here.
        away = pixels[found] - true[expected]
        if len(away):
            assert np.abs(np.median(away, axis=0)).max() < 1.5
            assert np.abs(away - np.median(away, axis=0)).max() < 0.8
        checked += len(away)
    assert checked > 20
    truth = yaml.safe_load((tmp_path / "a" / "truth.yaml").read_text())
    assert truth["camera"]["fx"] == pytest.approx(rig.lens.parameters[0])


def test_synthesize_leaves_a_folder_that_is_not_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "mine.txt").write_text("x")
    assert main(["calibrate", "synthesize", str(tmp_path)]) == 2
    assert "there already" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unknown_calibration_offers_the_nearest(capsys: pytest.CaptureFixture[str]):
    assert main(["calibrate", "hand_eye", "x"]) == 2
    assert "did you mean hand-eye" in capsys.readouterr().err
