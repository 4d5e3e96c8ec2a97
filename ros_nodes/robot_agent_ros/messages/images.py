"""sensor_msgs/Image and CompressedImage to uint8 RGB, and RGB to Image."""

from __future__ import annotations

import array
import io
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from robot_agent_ros.messages.error import MessageError


class ImageMessage(Protocol):
    """sensor_msgs/Image, as rclpy or a reader of recordings gives it."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any


class CompressedImageMessage(Protocol):
    """sensor_msgs/CompressedImage."""

    format: str
    data: Any


class Layout(NamedTuple):
    """How a pixel lies in memory: numbers of `bits`, `channels` of them, and which of them are red, green, blue."""

    bits: int
    channels: int
    rgb: tuple[int, int, int]


_RGB, _BGR, _GREY = (0, 1, 2), (2, 1, 0), (0, 0, 0)
_LAYOUTS: Mapping[str, Layout] = {
    "rgb8": Layout(8, 3, _RGB),
    "bgr8": Layout(8, 3, _BGR),
    "rgba8": Layout(8, 4, _RGB),
    "bgra8": Layout(8, 4, _BGR),
    "rgb16": Layout(16, 3, _RGB),
    "bgr16": Layout(16, 3, _BGR),
    "rgba16": Layout(16, 4, _RGB),
    "bgra16": Layout(16, 4, _BGR),
    "mono8": Layout(8, 1, _GREY),
    "mono16": Layout(16, 1, _GREY),
    "8UC1": Layout(8, 1, _GREY),
    "16UC1": Layout(16, 1, _GREY),
}
_BAYER: Mapping[str, tuple[int, int, int, int]] = {  # in a 2×2 block: red, the two greens, blue; read by rows
    "bayer_rggb8": (0, 1, 2, 3),
    "bayer_bggr8": (3, 1, 2, 0),
    "bayer_gbrg8": (2, 0, 3, 1),
    "bayer_grbg8": (1, 0, 3, 2),
}
_YUV: Mapping[str, tuple[int, int, int, int]] = {  # of two pixels: both brightnesses, blue and red difference
    "yuv422": (1, 3, 0, 2),
    "uyvy": (1, 3, 0, 2),
    "yuv422_yuy2": (0, 2, 1, 3),
    "yuyv": (0, 2, 1, 3),
}
_FEWEST_BITS = 14
"""A 16-bit picture without a pixel beyond so many bits is suspected to be that of a camera with fewer."""
ENCODINGS = (*_LAYOUTS, *_BAYER, *_YUV)
"""What `to_rgb` reads."""


def to_rgb(image: ImageMessage, bits: int = 0) -> NDArray[np.uint8]:
    """The picture, uint8 (height, width, 3), in memory of its own; of 16-bit numbers the upper 8 of their `bits`.

    Bayer patterns give every 2×2 block one colour, which is all that a picture that gets smaller needs.

    Args:
        image: the message.
        bits: that 16-bit numbers use, 8 to 16; 0 where nobody declares it, then 16 is assumed if the picture agrees.

    Raises:
        MessageError: an encoding that is not read, less data than the sizes ask for, or 16-bit numbers that use an
            unknown number of bits.
    """
    encoding, height, width = image.encoding, int(image.height), int(image.width)
    if encoding in _LAYOUTS:
        layout = _LAYOUTS[encoding]
        pixels = _rows(image, layout.bits // 8 * layout.channels)
        if layout.bits == 16:
            if encoding == "16UC1" and not bits:
                raise MessageError(
                    "the image's encoding is '16UC1', which may be depth in mm, of which no picture is made: subscribe "
                    "to a colour or grey image, or set image_bits to the bits that its numbers use"
                )
            numbers = np.ascontiguousarray(pixels).view(">u2" if image.is_bigendian else "<u2")
            colours = numbers.reshape(height, width, layout.channels)[:, :, : max(layout.rgb) + 1]
            pixels = _upper_bits(colours, bits, encoding)
        else:
            pixels = pixels.reshape(height, width, layout.channels)
        rgb = np.empty((height, width, 3), np.uint8)
        for colour, channel in enumerate(layout.rgb):  # four times as fast as one fancy index
            rgb[:, :, colour] = pixels[:, :, channel]
        return rgb
    if encoding in _BAYER:
        return _from_bayer(_rows(image, 1), _BAYER[encoding])
    if encoding in _YUV:
        return _from_yuv(_rows(image, 2), _YUV[encoding])
    hint = ", which does not say where red is" if encoding in ("8UC3", "8UC4") else ""
    raise MessageError(
        f"the image's encoding is {encoding!r}{hint}, expected one of {', '.join(ENCODINGS)}: set the camera's driver"
    )


def from_compressed(image: CompressedImageMessage, bits: int = 0) -> NDArray[np.uint8]:
    """The picture of a JPEG or PNG, uint8 (height, width, 3).

    Args:
        image: the message.
        bits: see `to_rgb`.

    Raises:
        MessageError: the data are of another kind or damaged, or see `to_rgb`.
    """
    from PIL import Image, UnidentifiedImageError  # a camera without compression needs no such library

    if "compressedDepth" in image.format:
        raise MessageError(f"the image's format is {image.format!r}, expected jpeg or png: subscribe to a colour image")
    try:
        with Image.open(io.BytesIO(bytes(image.data)), formats=("JPEG", "PNG")) as picture:
            if picture.mode.startswith("I"):  # 16-bit grey
                grey = _upper_bits(np.asarray(picture).astype(np.uint16), bits, "16-bit PNG")
                return np.repeat(grey[:, :, None], 3, axis=2)
            return np.array(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise MessageError(
            f"the image of format {image.format!r} cannot be read ({error}), expected a whole jpeg or png"
        ) from error


def fill_image(image: ImageMessage, rgb: NDArray[np.uint8]) -> None:
    """Writes a picture, uint8 (height, width, 3), into a message as rgb8; header and frame stay as they are.

    Raises:
        MessageError: an array of another kind.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise MessageError(f"the picture is {rgb.dtype} {rgb.shape}, expected uint8 (height, width, 3)")
    image.height, image.width = rgb.shape[:2]
    image.encoding, image.is_bigendian, image.step = "rgb8", 0, 3 * rgb.shape[1]
    data = array.array("B")  # the one type that rclpy takes without looking at every byte
    data.frombytes(np.ascontiguousarray(rgb).data.cast("B"))
    image.data = data


def _upper_bits(numbers: NDArray[np.uint16], bits: int, encoding: str) -> NDArray[np.uint8]:
    """16-bit numbers as 8 bits.

    Cameras of 10, 12 or 14 bits put their numbers into 16 as they are. The brightest pixel shows that, unless the
    picture is dark.
    """
    brightest = int(numbers.max(initial=0))
    if not bits and brightest < 1 << _FEWEST_BITS:
        raise MessageError(
            f"the brightest pixel of the {encoding} image is {brightest} of 65535, as if its numbers used "
            f"{max(8, brightest.bit_length())} bits: set image_bits to the bits that the camera uses, 16 if it "
            "is dark there"
        )
    if bits and brightest >= 1 << bits:
        raise MessageError(
            f"a pixel of the {encoding} image is {brightest}, expected at most {(1 << bits) - 1}: image_bits is {bits}"
        )
    return (numbers >> ((bits or 16) - 8)).astype(np.uint8)


def _rows(image: ImageMessage, pixel_bytes: int) -> NDArray[np.uint8]:
    """The bytes of each row (height, width * pixel_bytes), without what pads it."""
    height, width, step = int(image.height), int(image.width), int(image.step)
    used = width * pixel_bytes
    if height < 1 or width < 1 or step < used:
        raise MessageError(
            f"the image is {width}x{height} of {image.encoding} with rows of {step} bytes, "
            f"expected at least one pixel and rows of {used} bytes or more"
        )
    data = np.frombuffer(image.data, np.uint8)
    if len(data) < step * (height - 1) + used:  # some drivers leave the last row's padding out
        raise MessageError(f"the image holds {len(data)} bytes, expected {height} rows of {step}: frames arrive torn")
    whole = np.lib.stride_tricks.as_strided(data, (height, used), (step, 1), writeable=False)
    return np.asarray(whole)


def _from_bayer(pixels: NDArray[np.uint8], places: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    height, width = pixels.shape
    if height % 2 or width % 2:
        raise MessageError(f"the Bayer image is {width}x{height}, expected even numbers of pixels")
    blocks = [pixels[row::2, column::2] for row in (0, 1) for column in (0, 1)]
    red, green, other_green, blue = (blocks[place] for place in places)
    mean_green = ((green.astype(np.uint16) + other_green) // 2).astype(np.uint8)
    return np.stack((red, mean_green, blue), axis=2).repeat(2, axis=0).repeat(2, axis=1)


def _from_yuv(pixels: NDArray[np.uint8], places: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """ITU-R BT.601, studio range, as USB cameras give it."""
    if pixels.shape[1] % 4:
        raise MessageError(f"the YUV 4:2:2 image is {pixels.shape[1] // 2} pixels wide, expected an even number")
    first, second, blue_at, red_at = places
    pairs = pixels.reshape(len(pixels), -1, 4).astype(np.float32)
    luma = 1.164 * (pairs[:, :, [first, second]].reshape(len(pixels), -1) - 16)
    blue, red = ((pairs[:, :, at] - 128).repeat(2, axis=1) for at in (blue_at, red_at))
    rgb = np.stack((luma + 1.596 * red, luma - 0.392 * blue - 0.813 * red, luma + 2.017 * blue), axis=2)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
