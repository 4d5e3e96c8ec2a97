"""The camera as a process of its own, so that rendering never keeps the joints waiting; `sim_body.node` starts it.

Exposures come as datagrams over a socket, and for each frame that was published a datagram goes back. When the other
end is closed, however its process ended, the camera ends.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent_ros.backoff import Backoff

_EXPOSURE = struct.Struct("<qd")
"""Stamp in ns and noise; the snapshot follows."""
_PUBLISHED = struct.Struct("<qqd")
"""Stamp in ns, frames that came too fast since the beginning, and s from arrival to publication."""
_READY = -1
"""Stamp of the datagram that says that the camera is there."""
LARGEST_EXPOSURE = 65536
"""Bytes."""
FIRST_PAUSE = 1.0
"""s before a camera that ended is started again."""


@dataclass(frozen=True)
class CameraTask:
    """What a camera process has to do.

    Attributes:
        world: that it builds for itself.
        camera: of the world.
        tick: as the body's.
        width, height: of a frame, pixels.
        frame_id: of the images.
        seed: of the noise.
        namespace: of the node; the topics are whole names.
    """

    world: str
    camera: str
    tick: float
    width: int
    height: int
    frame_id: str
    seed: int
    namespace: str
    image_topic: str
    info_topic: str


class CameraProcess:
    """The body's end of the socket.

    Args:
        task: what it has to do.

    Attributes:
        ready: exposures are taken from now on.
        restarts: how many processes were started after the first.
        status: with which the last one ended, as long as its successor is not ready; None if none has.
        published: frames that were.
        newest: stamp of the newest frame, ns.
        milliseconds: that the newest frame took from exposure to publication.
    """

    def __init__(self, task: CameraTask) -> None:
        self.task = task
        self.published = self.newest = self.restarts = 0
        self.milliseconds = 0.0
        self.status: int | None = None
        self._too_fast = self._missed_before = 0
        self._backoff = Backoff(FIRST_PAUSE)
        self._due: float | None = None
        self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [
            sys.executable,
            "-m",
            "robot_agent_ros.sim_body.camera",
            str(theirs.fileno()),
            json.dumps(asdict(self.task)),
        ]
        try:
            self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._socket = ours
        self.ready = False
        self._started = time.monotonic()
        self._due = None

    def revive(self) -> bool:
        """Starts a process that has ended again, when its pause is over; returns whether it did. Never waits."""
        status, now = self.process.poll(), time.monotonic()
        if status is None:
            return False
        if self._due is None:
            self._backoff.lived(now - self._started)
            self.hear()  # what it said last says nothing of its successor
            self._socket.close()
            self.status, self.ready = status, False
            self._missed_before, self._too_fast = self._missed_before + self._too_fast, 0
            self._due = now + self._backoff.pause()
        if now < self._due:
            return False
        try:
            self._start()
        except OSError:  # as likely after it was killed for want of memory
            self._due = now + self._backoff.pause()
            return False
        self.restarts += 1
        return True

    def expose(self, stamp: int, snapshot: NDArray[np.float64], noise: float) -> None:
        """Hands a moment over, at once: the camera that cannot take it misses it."""
        if not self.ready:
            return
        try:
            self._socket.send(_EXPOSURE.pack(stamp, noise) + snapshot.tobytes(), socket.MSG_DONTWAIT)
        except OSError:  # full, or the camera is gone, which `revive` will see
            self._missed_before += 1

    def hear(self, until: int = 0, patience: float = 0.0) -> None:
        """Takes note of what was published; waits up to `patience` s for the camera and the frame of stamp `until`."""
        ends = time.monotonic() + patience
        while self._due is None:
            wait = 0.0 if self.ready and self.newest >= until else ends - time.monotonic()
            self._socket.settimeout(max(0.0, wait))
            try:
                data = self._socket.recv(_PUBLISHED.size)
            except (BlockingIOError, TimeoutError, ConnectionError):
                return
            if not data:
                return
            stamp, too_fast, seconds = _PUBLISHED.unpack(data)
            if stamp == _READY:
                self.ready, self.status = True, None
                continue
            self.newest = stamp
            self.published += 1
            self._too_fast = too_fast
            self.milliseconds = 1e3 * seconds

    @property
    def missed(self) -> int:
        """Exposures that the camera was too slow for, or not there."""
        return self._missed_before + self._too_fast

    def close(self) -> None:
        """Ends the camera."""
        self._socket.close()
        try:
            self.process.wait(2.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Noise:
    """Normal noise for images, cut from one table at random places: drawing it anew takes longer than rendering."""

    def __init__(self, pixels: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._table = self._rng.standard_normal(2 * pixels).astype(np.float32)

    def add(self, image: NDArray[np.uint8], deviation: float) -> NDArray[np.uint8]:
        """The image with noise of this standard deviation."""
        start = int(self._rng.integers(len(self._table) - image.size))
        noise = self._table[start : start + image.size].reshape(image.shape)
        return np.clip(image + deviation * noise, 0, 255).astype(np.uint8)


def camera_info(width: int, height: int, focal_length: float) -> Any:
    """sensor_msgs/CameraInfo of a camera without distortion; the centre of the first pixel is at (0, 0)."""
    from sensor_msgs.msg import CameraInfo

    f, cx, cy = focal_length, (width - 1) / 2, (height - 1) / 2
    return CameraInfo(
        width=width,
        height=height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[f, 0.0, cx, 0.0, 0.0, f, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def run(task: CameraTask, exposures: socket.socket) -> None:
    """Renders and publishes until the other end is closed; of exposures that wait, the newest counts."""
    import rclpy
    from rclpy.node import Node
    from rclpy.signals import SignalHandlerOptions
    from robot_agent_sim.live import LiveWorld
    from sensor_msgs.msg import Image

    from robot_agent_ros.endpoints import publisher_profile
    from robot_agent_ros.graph import CAMERA_INFO, IMAGE
    from robot_agent_ros.messages.images import fill_image
    from robot_agent_ros.messages.stamps import fill_stamp
    from robot_agent_ros.sim_body.worlds import build_world
    from robot_agent_ros.transport import whole_frames

    world = LiveWorld(build_world(task.world), task.tick, task.seed)
    size = (task.height, task.width)
    world.show(world.snapshot(), task.camera, size)  # the first picture takes long
    noise = Noise(3 * task.width * task.height, task.seed)
    info = camera_info(task.width, task.height, world.focal_length(task.camera, task.height))
    image = Image()
    info.header.frame_id = image.header.frame_id = task.frame_id
    os.environ.update(whole_frames(os.environ))
    # The body hears the signals and ends us.
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node("sim_body_camera", namespace=task.namespace, use_global_arguments=False, enable_rosout=False)
    images = node.create_publisher(Image, task.image_topic, publisher_profile(IMAGE))
    infos = node.create_publisher(type(info), task.info_topic, publisher_profile(CAMERA_INFO))
    too_fast = 0
    exposures.send(_PUBLISHED.pack(_READY, 0, 0.0))
    while data := exposures.recv(LARGEST_EXPOSURE):
        arrived = time.monotonic()
        while newer := _waiting(exposures):
            data = newer
            too_fast += 1
        stamp, deviation = _EXPOSURE.unpack_from(data)
        picture = world.show(np.frombuffer(data, np.float64, offset=_EXPOSURE.size), task.camera, size)
        fill_image(image, noise.add(picture, deviation) if deviation else picture)
        for message in (image, info):
            fill_stamp(message.header.stamp, stamp)
        infos.publish(info)
        images.publish(image)
        exposures.send(_PUBLISHED.pack(stamp, too_fast, time.monotonic() - arrived), socket.MSG_DONTWAIT)
    node.destroy_node()
    rclpy.try_shutdown()
    world.world.close()


def _waiting(exposures: socket.socket) -> bytes:
    """A further exposure that waits already; empty if there is none."""
    try:
        return exposures.recv(LARGEST_EXPOSURE, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""


def main(argv: Sequence[str]) -> int:
    """`FD TASK`: the socket's number and the task as JSON."""
    import signal

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=int(argv[0])) as exposures:
        try:
            run(CameraTask(**json.loads(argv[1])), exposures)
        except (ConnectionError, BlockingIOError):  # the body is gone, or has long not listened
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
