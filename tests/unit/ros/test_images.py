"""Camera messages become the pictures that were taken, whatever the encoding; what cannot be read is refused."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from robot_agent_ros.messages.error import MessageError
from robot_agent_ros.messages.images import ENCODINGS, fill_image, from_compressed, to_rgb

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
GREY = RGB[:, :, 0]


def message(encoding: str, rows: np.ndarray, padding: int = 0, big: bool = False) -> SimpleNamespace:
    """An Image of rows of bytes, each followed by `padding` bytes of 0xEE."""
    rows = rows.reshape(len(rows), -1).view(np.uint8)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xEE)
    return SimpleNamespace(
        height=6, width=8, encoding=encoding, is_bigendian=int(big), step=padded.shape[1], data=padded.tobytes()
    )


def alpha(picture: np.ndarray) -> np.ndarray:
    return np.concatenate((picture, np.full((6, 8, 1), 77, picture.dtype)), axis=2)


def sixteen(picture: np.ndarray, order: str) -> np.ndarray:
    """16-bit numbers whose upper byte is the picture."""
    return np.ascontiguousarray((picture.astype(np.uint16) << 8 | 0x5A).astype(f"{order}u2"))


CASES = {
    "rgb8": RGB,
    "bgr8": np.ascontiguousarray(RGB[:, :, ::-1]),
    "rgba8": alpha(RGB),
    "bgra8": alpha(RGB[:, :, ::-1]),
    "mono8": GREY.copy(),
    "8UC1": GREY.copy(),
}
WIDE = {"rgb16": RGB, "bgr16": RGB[:, :, ::-1], "rgba16": alpha(RGB), "bgra16": alpha(RGB[:, :, ::-1])}
WIDE |= {"mono16": GREY, "16UC1": GREY}


def wanted(encoding: str) -> np.ndarray:
    return np.repeat(GREY[:, :, None], 3, axis=2) if encoding in ("mono8", "mono16", "8UC1", "16UC1") else RGB


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", CASES)
def test_bytes_become_the_picture(encoding: str, padding: int):
    rgb = to_rgb(message(encoding, CASES[encoding], padding))
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb, wanted(encoding))


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("encoding", WIDE)
def test_of_16_bits_the_upper_ones_count_in_either_byte_order(encoding: str, order: str, padding: int):
    rows = sixteen(np.ascontiguousarray(WIDE[encoding]), order)
    bits = 16 if encoding == "16UC1" else 0
    np.testing.assert_array_equal(to_rgb(message(encoding, rows, padding, order == ">"), bits), wanted(encoding))


@pytest.mark.parametrize("encoding", ["mono16", "16UC1", "rgb16", "rgba16"])
def test_a_camera_of_12_bits_is_scaled_where_it_is_declared_and_refused_where_it_is_not(encoding: str):
    picture = np.ascontiguousarray(WIDE[encoding])
    numbers = picture.astype("<u2") << 4 | 0xA
    if encoding == "rgba16":
        numbers[:, :, 3] = 0xFFF  # an alpha that is opaque says nothing about the colours
    np.testing.assert_array_equal(to_rgb(message(encoding, numbers), 12), wanted(encoding))
    with pytest.raises(MessageError, match="set image_bits"):
        to_rgb(message(encoding, numbers))
    with pytest.raises(MessageError, match="expected at most 1023: image_bits is 10"):
        to_rgb(message(encoding, numbers), 10)


def test_a_png_of_12_bits_is_scaled_where_it_is_declared_and_refused_where_it_is_not():
    file = io.BytesIO()
    Image.fromarray(GREY.astype(np.uint16) << 4).save(file, "PNG")
    image = SimpleNamespace(format="png", data=file.getvalue())
    np.testing.assert_array_equal(from_compressed(image, 12), wanted("mono16"))
    with pytest.raises(MessageError, match="set image_bits"):
        from_compressed(image)


def test_depth_is_no_picture_unless_its_numbers_are_declared():
    depth = np.full((6, 8), 40_000, "<u2")
    with pytest.raises(MessageError, match="depth in mm"):
        to_rgb(message("16UC1", depth))
    assert np.all(to_rgb(message("16UC1", depth), 16) == 40_000 >> 8)


@pytest.mark.parametrize(
    ("encoding", "pattern"),
    [("bayer_rggb8", "RGGB"), ("bayer_bggr8", "BGGR"), ("bayer_gbrg8", "GBRG"), ("bayer_grbg8", "GRBG")],
)
def test_a_bayer_pattern_of_one_colour_is_that_colour(encoding: str, pattern: str):
    colour = {"R": 200, "G": 90, "B": 30}
    block = np.array([colour[letter] for letter in pattern], np.uint8).reshape(2, 2)
    rgb = to_rgb(message(encoding, np.tile(block, (3, 4))))
    np.testing.assert_array_equal(rgb, np.broadcast_to([200, 90, 30], (6, 8, 3)))


@pytest.mark.parametrize(("encoding", "order"), [("uyvy", "UYVY"), ("yuyv", "YUYV")])
@pytest.mark.parametrize(
    ("yuv", "rgb"),
    [((16, 128, 128), (0, 0, 0)), ((235, 128, 128), (255, 255, 255)), ((81, 90, 240), (255, 0, 0))],
)
def test_yuv_gives_black_white_and_red(encoding: str, order: str, yuv: tuple, rgb: tuple):
    value = dict(zip("YUV", yuv, strict=True))
    row = np.tile(np.array([value[letter] for letter in order], np.uint8), 4)
    picture = to_rgb(message(encoding, np.tile(row, (6, 1))))
    assert np.abs(picture.astype(int) - rgb).max() <= 2


def test_older_names_of_yuv_are_the_same():
    rows = np.random.default_rng(1).integers(0, 256, (6, 16), dtype=np.uint8)
    for old, new in (("yuv422", "uyvy"), ("yuv422_yuy2", "yuyv")):
        np.testing.assert_array_equal(to_rgb(message(old, rows)), to_rgb(message(new, rows)))


def test_every_encoding_that_is_offered_is_tested():
    bayer = {"bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8"}
    assert set(ENCODINGS) == {*CASES, *WIDE, *bayer, "yuv422", "yuv422_yuy2", "uyvy", "yuyv"}


def test_the_last_rows_padding_may_be_left_out():
    image = message("rgb8", RGB, padding=4)
    image.data = image.data[:-4]
    np.testing.assert_array_equal(to_rgb(image), RGB)


def test_the_picture_is_a_copy():
    image = message("rgb8", RGB)
    image.data = bytearray(image.data)
    rgb = to_rgb(image)
    image.data[:] = bytes(len(image.data))
    np.testing.assert_array_equal(rgb, RGB)


@given(st.integers(1, 40), st.integers(1, 40), st.randoms(use_true_random=False))
def test_what_is_written_is_read_back(height: int, width: int, random):
    rgb = np.frombuffer(random.randbytes(height * width * 3), np.uint8).reshape(height, width, 3)
    image = SimpleNamespace()
    fill_image(image, rgb)
    np.testing.assert_array_equal(to_rgb(image), rgb)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"encoding": "8UC3"}, "does not say where red is"),
        ({"encoding": "32FC1"}, "encoding is '32FC1', expected one of rgb8"),
        ({"encoding": ""}, "encoding is ''"),
        ({"data": b"\0" * 100}, "holds 100 bytes, expected 6 rows of 24"),
        ({"data": b""}, "holds 0 bytes"),
        ({"step": 23}, "rows of 23 bytes, expected at least one pixel and rows of 24"),
        ({"height": 0}, "8x0"),
        ({"width": 0}, "0x6"),
        ({"height": 2**31}, "expected 2147483648 rows"),
        ({"encoding": "bayer_rggb8", "width": 7}, "7x6, expected even"),
        ({"encoding": "yuyv", "width": 7}, "7 pixels wide, expected an even"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(change: dict, sentence: str):
    image = message("rgb8", RGB)
    vars(image).update(change)
    with pytest.raises(MessageError, match=sentence):
        to_rgb(image)


def test_only_pictures_can_be_written():
    with pytest.raises(MessageError, match="expected uint8"):
        fill_image(SimpleNamespace(), np.zeros((4, 4, 3), np.float32))


def compressed(kind: str, picture: np.ndarray, name: str) -> SimpleNamespace:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return SimpleNamespace(format=name, data=data.getvalue())


def test_png_is_read_exactly_and_jpeg_nearly():
    smooth = np.linspace(0, 255, 32 * 32 * 3).reshape(32, 32, 3).astype(np.uint8)
    np.testing.assert_array_equal(from_compressed(compressed("PNG", smooth, "rgb8; png compressed rgb8")), smooth)
    jpeg = from_compressed(compressed("JPEG", smooth, "rgb8; jpeg compressed bgr8"))
    assert np.abs(jpeg.astype(int) - smooth).mean() < 6
    grey16 = (GREY.astype(np.uint16) << 8) + 0x5A
    np.testing.assert_array_equal(from_compressed(compressed("PNG", grey16, "mono16; png")), wanted("mono16"))


@pytest.mark.parametrize(
    ("form", "data", "sentence"),
    [
        ("jpeg", b"garbage", "cannot be read"),
        ("jpeg", b"", "cannot be read"),
        ("16UC1; compressedDepth", b"", "expected jpeg or png"),
    ],
)
def test_damaged_pictures_are_refused(form: str, data: bytes, sentence: str):
    with pytest.raises(MessageError, match=sentence):
        from_compressed(SimpleNamespace(format=form, data=data))
    whole = compressed("PNG", RGB, "png")
    whole.data = whole.data[: len(whole.data) // 2]
    with pytest.raises(MessageError, match="cannot be read"):
        from_compressed(whole)
