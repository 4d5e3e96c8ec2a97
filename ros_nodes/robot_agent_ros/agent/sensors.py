"""The camera and the joints of the robot, from ROS: the control thread takes what is newest when it needs it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.subscription import Subscription

from robot_agent.types import CAMERA_PREFIX
from robot_agent_ros.agent.body import RobotBody
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.control import Sight
from robot_agent_ros.agent.frames import FrameReader
from robot_agent_ros.agent.pairing import ClockWatch, Feed, Readings, Refused, Sample, together
from robot_agent_ros.agent.partial import Partial
from robot_agent_ros.endpoints import message_class, subscription_profile
from robot_agent_ros.graph import CAMERA_INFO, COMPRESSED_IMAGE, IMAGE, JOINT_STATES, Topic
from robot_agent_ros.messages.error import MessageError
from robot_agent_ros.messages.stamps import to_seconds
from robot_agent_ros.polling import MOST, Polled, waiting


class RosSenses:
    """Subscriptions that wake nobody: they hold the newest messages until the control thread polls.

    Args:
        node: of the subscriptions.
        body: whose joints are read, and in which size the agent sees.
        config: gives the bounds; it may be another one at each call.
        simulated: ROS's clock is a simulator's.
    """

    def __init__(self, node: Node, body: RobotBody, config: Callable[[], AgentConfig], simulated: bool = False) -> None:
        self._node, self._body, self._config = node, body, config
        self.camera: Feed[NDArray[np.uint8]] = Feed("camera")
        self.joints: Feed[NDArray[np.float64]] = Feed("joints")
        self._simulated = simulated
        self._watch = ClockWatch(simulated)
        self._readings = Readings(body.frame)
        self._partial = Partial(body.joints, config().largest_joint_age)
        self._joint_states = _polled(node, JOINT_STATES, MOST)
        self._images: Subscription[Any] | None = None
        self._infos: Subscription[Any] | None = None
        self._is_new = False
        self._arrivals: list[float] = []
        if body.spec.cameras:
            now = config()
            ((self._camera_name, size),) = body.spec.cameras
            opening = body.opening if now.camera_view == "world" else None
            self._reader = FrameReader(size, now.image_size, now.compressed, opening, now.image_bits)
            if opening is not None:
                self._infos = _polled(node, CAMERA_INFO, 1)
            self._images = _polled(node, COMPRESSED_IMAGE if now.compressed else IMAGE, 1)

    def close(self) -> None:
        """Ends the subscriptions."""
        for one in (self._joint_states, self._images, self._infos):
            if one is not None:
                self._node.destroy_subscription(one)

    def now(self) -> float:
        """s of ROS's clock."""
        return float(self._node.get_clock().now().nanoseconds) * 1e-9

    def arrivals(self) -> list[float]:
        """When pictures came since the last call, s of the clock that decisions follow."""
        came, self._arrivals = self._arrivals, []
        return came

    def poll(self) -> bool:
        """Takes what has come; returns whether there is a picture that was not looked at."""
        if self._watch.jumped(self.now(), time.monotonic()):
            self.camera.forget()
            self.joints.forget()
            self._readings.forget()
            self._partial.forget()
            self.camera.fault = self.joints.fault = "clock_jumped"
            self.camera.sentence = self.joints.sentence = "the clock jumped, so nothing of before counts"
        if self._images is None:
            self._poll_joints()
            return True
        config = self._config()
        if self._infos is not None:
            for message, _ in waiting(self._infos):
                self._reader.look_through(message)
        for message, info in waiting(self._images):
            waited = max(0.0, (time.time_ns() - info["received_timestamp"]) * 1e-9)
            self._arrivals.append((self.now() if self._simulated else time.monotonic()) - waited)
            self._is_new |= self.camera.offer(
                to_seconds(message.header.stamp),
                self.now(),
                lambda message=message: self._reader.read(message),  # type: ignore[misc]
                config.largest_camera_age,
                config.future_tolerance,
            )
        return self._is_new

    def look(self) -> Sight:
        """The newest picture and the newest joints.

        Raises:
            Refused: one of them is not there, too old, or they are of different moments.
        """
        self._poll_joints()
        config, now = self._config(), self.now()
        self._is_new = False
        joints = self.joints.fresh(now, config.largest_joint_age)
        velocity = self._readings.velocity(joints)
        if self._images is None:
            return Sight(joints.stamp, joints.stamp, joints.what, velocity, {})
        picture = self.camera.fresh(now, config.largest_camera_age)
        together(picture, joints, config.largest_skew)
        oldest = min(picture.stamp, joints.stamp)
        return Sight(oldest, joints.stamp, joints.what, velocity, {CAMERA_PREFIX + self._camera_name: picture.what})

    def ages(self) -> dict[str, float]:
        """How old the newest of each sensor is, s; NaN before the first."""
        now = self.now()
        feeds = (self.camera, self.joints) if self._images is not None else (self.joints,)
        return {feed.name: now - feed.newest.stamp if feed.newest else float("nan") for feed in feeds}

    def refused(self) -> Counter[str]:
        """Messages that were not used, by name."""
        return Counter({**self.camera.refused, **self.joints.refused})  # in one go: the control thread adds to them

    def _poll_joints(self) -> None:
        """All that have come, since the newest may be of other joints, and the others say how fast these are."""
        config, messages = self._config(), [message for message, _ in waiting(self._joint_states)]
        self._partial.largest_age = config.largest_joint_age
        for index, message in enumerate(messages):
            stamp, now = to_seconds(message.header.stamp), self.now()
            if index < len(messages) - 1 and now - stamp > config.largest_joint_age:
                continue  # it became old while it waited for a decision, and a newer one has come
            try:
                sample = self._read(message, stamp)
            except Refused as why:
                self.joints.refuse(why)
                continue
            if sample is not None and self._offer(sample, now):
                self._readings.add(*sample)

    def _offer(self, joints: Sample[NDArray[np.float64]], now: float) -> bool:
        config = self._config()
        return self.joints.offer(
            joints.stamp, now, lambda: joints.what, config.largest_joint_age, config.future_tolerance
        )

    def _read(self, message: Any, stamp: float) -> Sample[NDArray[np.float64]] | None:
        """All joints, once each has come; None where the message has other joints, or others are still to come.

        Raises:
            Refused: a joint has been missing for too long, or the message is none that can be read.
        """
        names = self._body.joints
        sample = None
        if any(name in names for name in message.name):
            try:
                sample = self._partial.add(message, stamp)
            except MessageError as error:
                ours = [at for name, at in zip(message.name, message.position, strict=False) if name in names]
                name = "joints_malformed" if np.all(np.isfinite(ours)) else "joints_not_finite"
                raise Refused(name, str(error)) from error
        if sample is not None:
            return Sample(*sample)
        newest = self.joints.newest
        if newest is None or stamp - newest.stamp > self._config().largest_joint_age:
            there = ", ".join(message.name) or "none"
            raise Refused("joint_missing", f"joint {self._partial.missing[0]!r} is missing, there are {there}")
        return None


def _polled(node: Node, topic: Topic, depth: int) -> Subscription[Any]:
    profile = subscription_profile(topic)
    profile.depth = depth
    group = Polled()
    return node.create_subscription(
        message_class(topic), topic.name, lambda message: None, profile, callback_group=group
    )
