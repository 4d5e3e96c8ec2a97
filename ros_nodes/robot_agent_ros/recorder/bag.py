"""One recording: a folder of MCAP files and the `metadata.yaml` that rosbag2 expects beside them. No rclpy."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from mcap.writer import CompressionType, Writer

METADATA = "metadata.yaml"
_COMPRESSIONS = {"zstd": CompressionType.ZSTD, "lz4": CompressionType.LZ4, "none": CompressionType.NONE}
_CHUNK_BYTES = 4 * 1024 * 1024
_METADATA_VERSION = 8
"""The newest that every rosbag2 since jazzy reads."""


@dataclass(frozen=True)
class Channel:
    """A topic of a recording: its whole name, its type (`sensor_msgs/msg/Image`) and the definition's text."""

    topic: str
    type: str
    definition: str


@dataclass
class _File:
    """A file's part in the metadata; times in ns."""

    path: str
    counts: dict[Channel, int] = field(default_factory=dict)
    first: int = 0
    last: int = 0

    @property
    def messages(self) -> int:
        return sum(self.counts.values())


class Bag:
    """Writes messages, as they come from the network, into files of bounded size.

    Everything is written through to the system with each `flush`, so a process that is killed loses what came after it.
    After an `OSError` the bag is closed: what was written whole stays readable, the rest of the file is cut off.

    Args:
        folder: of this recording; it must not exist.
        compression: `zstd`, `lz4` or `none`.
        file_bytes: beyond which a file is ended.
        distribution: of ROS, for the metadata.
        on_file: is called before each file is begun.
    """

    def __init__(
        self,
        folder: Path,
        compression: str = "zstd",
        file_bytes: int = 256_000_000,
        distribution: str = "",
        on_file: Callable[[], None] = lambda: None,
    ) -> None:
        folder.mkdir(parents=True)
        self.folder, self.file_bytes, self.distribution = folder, file_bytes, distribution
        self.compression, self.on_file = compression, on_file
        self.closed = False
        self._files: list[_File] = []
        self._numbers = 0
        self._descriptor = -1
        self._whole = 0
        self._begin()

    def write(self, channel: Channel, data: bytes, received: int, published: int, sequence: int = 0) -> None:
        """Appends one message in CDR; times in ns. `sequence` is its publisher's number of it, 0 where it gives none.

        Raises:
            OSError: the disk is full or gone; the bag is closed.
        """
        try:
            if os.fstat(self._descriptor).st_size > self.file_bytes:
                self._end()
                self._begin()
            if channel not in self._channels:
                schema = self._writer.register_schema(channel.type, "ros2msg", channel.definition.encode())
                self._channels[channel] = self._writer.register_channel(channel.topic, "cdr", schema)
            self._writer.add_message(self._channels[channel], received, data, published, sequence)
        except OSError:
            self._give_up()
            raise
        file = self._files[-1]
        file.first = min(file.first or received, received)
        file.last = max(file.last, received)
        file.counts[channel] = file.counts.get(channel, 0) + 1

    def flush(self) -> None:
        """Hands everything to the system.

        Raises:
            OSError: the disk is full or gone; the bag is closed.
        """
        try:
            self._writer.flush()
            self._whole = os.fstat(self._descriptor).st_size
            self._write_metadata()
        except OSError:
            self._give_up()
            raise

    def close(self) -> None:
        """Ends the recording; a second time it does nothing.

        Raises:
            OSError: the disk is full or gone; what was flushed stays readable.
        """
        if self.closed:
            return
        try:
            self._end()
            self.closed = True
        except OSError:
            self._give_up()
            raise

    @property
    def path(self) -> Path:
        """The file that is written now."""
        return self.folder / self._files[-1].path

    def forget(self, path: Path) -> None:
        """A file was deleted; the metadata follows with the next flush."""
        self._files = [file for file in self._files if self.folder / file.path != path]

    def _begin(self) -> None:
        self.on_file()
        name = f"{self.folder.name}_{self._numbers}.mcap"
        self._numbers += 1
        # Without a buffer of Python's own: what `write` returned from is with the system, or was refused by it.
        self._stream = (self.folder / name).open("wb", buffering=0)
        self._descriptor = self._stream.fileno()
        self._files.append(_File(name))
        self._channels: dict[Channel, int] = {}
        self._whole = 0
        stream: Any = _Whole(self._stream)
        self._writer = Writer(stream, chunk_size=_CHUNK_BYTES, compression=_COMPRESSIONS[self.compression])
        self._writer.start(profile="ros2", library="robot_agent")
        self._write_metadata()

    def _end(self) -> None:
        self._writer.finish()
        self._stream.close()
        self._write_metadata()

    def _give_up(self) -> None:
        """Cuts off what was not written whole, and lets go of the file; nothing here needs space."""
        if self.closed:
            return
        self.closed = True
        if not self._stream.closed:
            self._stream.truncate(self._whole)
            self._stream.close()

    def _write_metadata(self) -> None:
        """Whole or not at all, for whoever reads while we write."""
        temporary = self.folder / f".{METADATA}"
        temporary.write_text(yaml.safe_dump(self._metadata(), sort_keys=False))
        temporary.replace(self.folder / METADATA)

    def _metadata(self) -> dict[str, Any]:
        totals: dict[Channel, int] = {}
        for file in self._files:
            for channel, count in file.counts.items():
                totals[channel] = totals.get(channel, 0) + count
        filled = [file for file in self._files if file.messages]
        first = min((file.first for file in filled), default=0)
        last = max((file.last for file in filled), default=0)
        return {
            "rosbag2_bagfile_information": {
                "version": _METADATA_VERSION,
                "storage_identifier": "mcap",
                "duration": {"nanoseconds": last - first},
                "starting_time": {"nanoseconds_since_epoch": first},
                "message_count": sum(totals.values()),
                "topics_with_message_count": [
                    {
                        "topic_metadata": {
                            "name": channel.topic,
                            "type": channel.type,
                            "serialization_format": "cdr",
                            "offered_qos_profiles": "",
                            "type_description_hash": "",
                        },
                        "message_count": count,
                    }
                    for channel, count in totals.items()
                ],
                "compression_format": "",
                "compression_mode": "",
                "relative_file_paths": [file.path for file in self._files],
                "files": [
                    {
                        "path": file.path,
                        "starting_time": {"nanoseconds_since_epoch": file.first},
                        "duration": {"nanoseconds": file.last - file.first},
                        "message_count": file.messages,
                    }
                    for file in self._files
                ],
                "custom_data": None,
                "ros_distro": self.distribution,
            }
        }


class _Whole:
    """A raw file whose `write` writes everything; a raw one may write a part and be content."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        return len(data)

    def tell(self) -> int:
        return int(self._file.tell())

    def flush(self) -> None:
        self._file.flush()
