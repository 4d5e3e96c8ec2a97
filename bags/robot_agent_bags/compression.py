"""Compressed bytes made plain, as far as they are whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import lz4.frame
import zstandard

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
LZ4_MAGIC = b"\x04\x22\x4d\x18"
PIECE = 1024
"""Bytes that are decompressed at once where something is damaged: what one call holds is lost with its error."""


class DamagedError(ValueError):
    """Compressed bytes are damaged or cut off."""


def inflate(data: bytes, compression: str) -> tuple[bytes, str]:
    """The plain bytes, and what is damaged in words; before the damage nothing is missing.

    Args:
        data: all of it.
        compression: `zstd`, `lz4`, or nothing.
    """
    if not compression:
        return data, ""
    whole, parts = memoryview(data), []
    try:
        for part in inflated((whole[at : at + PIECE] for at in range(0, len(whole), PIECE)), compression):
            parts.append(part)
    except DamagedError as error:
        return b"".join(parts), str(error)
    return b"".join(parts), ""


def inflated(pieces: Iterable[bytes | memoryview], compression: str) -> Iterator[bytes]:
    """The plain bytes of compressed ones that come in pieces.

    Raises:
        DamagedError: they are damaged or cut off, or of another compression.
    """
    if compression not in ("zstd", "lz4"):
        raise DamagedError(f"the compression is {compression[:20]!r}, expected zstd or lz4")
    decompressor: Any = None
    for piece in pieces:
        rest = bytes(piece)
        while rest:
            if decompressor is None:
                decompressor = _decompressor(compression)
            try:
                yield decompressor.decompress(rest)
            except (zstandard.ZstdError, RuntimeError, EOFError, MemoryError) as error:
                raise DamagedError(f"compressed bytes are damaged: {' '.join(str(error).split())}") from error
            rest = b""
            if decompressor.eof:  # one frame may follow another
                rest, decompressor = decompressor.unused_data or b"", None
    if decompressor is not None:
        raise DamagedError("compressed bytes are cut off")


def _decompressor(compression: str) -> Any:
    return zstandard.ZstdDecompressor().decompressobj() if compression == "zstd" else lz4.frame.LZ4FrameDecompressor()
