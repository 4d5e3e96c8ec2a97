"""The thread that writes, fed by a bounded queue, so that a slow or full disk stops nobody. No rclpy."""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from robot_agent_ros.recorder.bag import Bag, Channel
from robot_agent_ros.recorder.config import RecorderConfig
from robot_agent_ros.recorder.shelf import free_bytes, make_room

RETRY_SECONDS = 1.0
"""Between two looks whether a disk has space again."""


class Status(Enum):
    """What the recorder does now."""

    RECORDING = "recording"
    DISK_FULL = "disk_full"
    DISK_FAILED = "disk_failed"
    FAILED = "failed"


class Message(NamedTuple):
    """A message as it came from the network; times in ns, `sequence` is its publisher's number of it."""

    channel: Channel
    data: bytes
    received: int
    published: int
    sequence: int = 0


class Tape:
    """Records until it is closed; everything here may be called from any thread.

    Attributes:
        config: may be replaced by another one at any time.
        status: what it does now, and `detail` why.
        written, dropped: messages.
    """

    def __init__(self, config: RecorderConfig, distribution: str = "") -> None:
        self.config = config
        self.folder = Path(config.folder).expanduser().resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.status, self.detail = Status.RECORDING, ""
        self.written = self.dropped = self.files_deleted = 0
        self._distribution = distribution
        self._queue: deque[Message] = deque()
        self._queued = 0
        self._wake = threading.Condition()
        self._ends = False
        self._bag: Bag | None = None
        self._thread = threading.Thread(target=self._run, name="tape", daemon=True)
        self._thread.start()

    def put(self, message: Message) -> None:
        """Queues a message, or drops it if the queue is full or nothing can be written."""
        with self._wake:
            full = self._queued + len(message.data) > self.config.queue_megabytes * 1e6
            if full or self.status is not Status.RECORDING:
                self.dropped += 1
                return
            self._queue.append(message)
            self._queued += len(message.data)
            self._wake.notify()

    def close(self) -> None:
        """Writes what is queued and ends the recording."""
        with self._wake:
            self._ends = True
            self._wake.notify()
        self._thread.join()

    @property
    def path(self) -> str:
        """The file that is written now, empty if there is none."""
        bag = self._bag
        return str(bag.path) if bag and not bag.closed else ""

    def _run(self) -> None:
        flushed = time.monotonic()
        while True:
            with self._wake:
                self._wake.wait_for(lambda: bool(self._queue) or self._ends, timeout=0.1)
                taken, ends = list(self._queue), self._ends
                self._queue.clear()
                self._queued = 0
            try:
                if self.status is not Status.RECORDING:
                    self._try_again(ends)
                if taken and self.status is Status.RECORDING:
                    self._write(taken)
                if self._bag and time.monotonic() - flushed > self.config.chunk_seconds:
                    flushed = time.monotonic()
                    self._check_space()
                    self._bag.flush()
                if ends:
                    if self._bag:
                        self._bag.close()
                    return
            except Exception as error:  # a thread that ended would go unnoticed; what it is stands in diagnostics
                self._stop(error)
                if ends:
                    return

    def _write(self, messages: list[Message]) -> None:
        bag = self._bag or self._open()
        for index, message in enumerate(messages):
            try:
                bag.write(*message)
            except Exception:
                self.dropped += len(messages) - index
                raise
            self.written += 1

    def _open(self) -> Bag:
        self._check_space()
        name = datetime.now(UTC).strftime("robot_%Y-%m-%d_%H-%M-%S_%f")
        config = self.config
        file_bytes = round(config.file_megabytes * 1e6)
        self._bag = Bag(self.folder / name, config.compression, file_bytes, self._distribution, self._make_room)
        return self._bag

    def _make_room(self) -> None:
        """Before a file is begun: room for all of it."""
        largest = round((self.config.total_megabytes - self.config.file_megabytes) * 1e6)
        for path in make_room(self.folder, largest):
            self.files_deleted += 1
            if self._bag:
                self._bag.forget(path)

    def _check_space(self) -> None:
        free = free_bytes(self.folder)
        if free < self.config.free_megabytes * 1e6:
            raise OSError(errno.ENOSPC, f"{free / 1e6:.0f} MB left, expected {self.config.free_megabytes:g}")

    def _stop(self, error: Exception) -> None:
        if isinstance(error, OSError):
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            status, why = Status.DISK_FULL if full else Status.DISK_FAILED, error.strerror or str(error)
        else:
            status, why = Status.FAILED, f"{type(error).__name__}: {error}"
        with self._wake:
            self.status, self.detail = status, f"{self.folder}: {why}"
            self.dropped += len(self._queue)
            self._queue.clear()
            self._queued = 0
        bag, self._bag = self._bag, None
        if bag and not bag.closed:
            with suppress(Exception):  # what was flushed is there
                bag.close()

    def _try_again(self, ends: bool) -> None:
        if ends:
            return
        time.sleep(RETRY_SECONDS)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._check_space()
        self._open()
        with self._wake:
            self.status, self.detail = Status.RECORDING, ""
