"""A recording lived again: decisions, what they were about, what came of them; paired as the agent's node does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from robot_agent_bags.bag import Recorded

from robot_agent.agent import Decision
from robot_agent.types import CAMERA_PREFIX, Source, Transition
from robot_agent_ros.agent.body import RobotBody
from robot_agent_ros.agent.commands import read_commanded
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.episodes import Episodes
from robot_agent_ros.agent.frames import FrameReader
from robot_agent_ros.agent.pairing import Feed, Readings, Refused, together
from robot_agent_ros.agent.task import Task
from robot_agent_ros.graph import CAMERA_INFO, CLOCK, COMMAND, COMPRESSED_IMAGE, GOAL, IMAGE, JOINT_STATES, REWARD
from robot_agent_ros.messages.error import MessageError
from robot_agent_ros.messages.joints import read_joints
from robot_agent_ros.messages.stamps import to_seconds

GAP = 1.8
"""Periods without a command after which the decisions before and after it are not of one episode."""
SLIP = 0.05
"""Of a full action: what a command may be beyond it before the action counts as clipped."""


def topic_names(namespace: str) -> dict[str, str]:
    """The whole names, in a recording, of what is lived again, by their names in the table."""
    prefix = "/" + namespace.strip("/") + "/" if namespace.strip("/") else "/"
    rows = (JOINT_STATES, IMAGE, COMPRESSED_IMAGE, CAMERA_INFO, COMMAND, GOAL, REWARD)
    return {prefix + row.name: row.name for row in rows} | {CLOCK.name: CLOCK.name}


@dataclass
class Report:
    """What became of the commands of a recording.

    Attributes:
        commands: on agent/command.
        refused: of them, by why no transition came of them.
        clipped: actions that were larger than an agent's can be.
        rewards: transitions whose reward is known.
        sentence: why the last of the refused was.
    """

    commands: int
    refused: Counter[str]
    clipped: int = 0
    rewards: int = 0
    sentence: str = ""


class Living:
    """Makes transitions of recorded messages.

    Each command is a decision about the newest picture and joint state that were there when it was given. Its action is
    what leads to it from the command before, or from a body that stands still after a pause.

    Args:
        body: what actions mean.
        task: goal and reward; gets the goals and rewards that were recorded.
        config: bounds on ages, and how long an episode is.
        first_episode: its number.
        source: who gave the commands.
        namespace: of the robot in the recording.
    """

    def __init__(
        self,
        body: RobotBody,
        task: Task,
        config: AgentConfig,
        first_episode: int = 0,
        source: Source = Source.PLAN,
        namespace: str = "",
    ) -> None:
        self.body, self.task, self.config = body, task, config
        self.report = Report(0, Counter())
        self._names = topic_names(namespace)
        self._source = source
        self._episodes = Episodes(task.reward, body.spec.control_dt, config.episode_seconds, first_episode)
        self._camera: Feed[Any] = Feed("camera")
        self._joints: Feed[NDArray[np.float64]] = Feed("joints")
        self._commanded: NDArray[np.float64] | None = None
        self._readings = Readings(body.frame)
        self._last_command = -np.inf
        self._clock: float | None = None
        opening = body.opening if config.camera_view == "world" else None
        size = body.spec.cameras[0][1] if body.spec.cameras else (1, 1)
        self._reader = FrameReader(size, (), False, opening, config.image_bits)

    def live(self, messages: Iterable[Recorded]) -> Iterator[Transition]:
        """The transitions of messages in the order in which they came."""
        for one in messages:
            name = self._names.get(one.topic)
            if name == CLOCK.name:
                self._clock = to_seconds(one.message.clock)
            elif name == JOINT_STATES.name:
                if self._offer(self._joints, one, lambda message: self._positions(message)):
                    assert self._joints.newest is not None
                    self._readings.add(*self._joints.newest)
            elif name in (IMAGE.name, COMPRESSED_IMAGE.name) and self.body.spec.cameras:
                self._offer(self._camera, one, lambda message: message)  # unpacked when a decision is about it
            elif name == CAMERA_INFO.name:
                self._reader.look_through(one.message)
            elif name == GOAL.name:
                self.task.set_goal(one.message.data)
            elif name == REWARD.name:
                self.task.give_reward(self._now(one), one.message.data)
            elif name == COMMAND.name:
                self.report.commands += 1
                try:
                    yield from self._decided(one)
                except Refused as why:
                    self.report.refused[why.name] += 1
                    self.report.sentence = str(why)
                    self._pause()

    def _now(self, one: Recorded) -> float:
        """s of ROS's clock when a message was sent: a simulator's where there is one."""
        return one.published if self._clock is None else self._clock

    def _offer(self, feed: Feed[Any], one: Recorded, read: Any) -> bool:
        largest = self.config.largest_camera_age if feed is self._camera else self.config.largest_joint_age
        stamp = to_seconds(one.message.header.stamp)
        return feed.offer(stamp, self._now(one), lambda: read(one.message), largest, self.config.future_tolerance)

    def _positions(self, message: Any) -> NDArray[np.float64]:
        try:
            return read_joints(message, self.body.joints).position
        except MessageError as error:
            raise Refused("joints_unreadable", str(error)) from error

    def _decided(self, one: Recorded) -> Iterator[Transition]:
        given = to_seconds(one.message.header.stamp)
        if given - self._last_command > GAP * self.body.spec.control_dt:
            self._pause()
        self._last_command = given
        joints = self._joints.fresh(given, self.config.largest_joint_age)
        stamp, frames = joints.stamp, {}
        if self.body.spec.cameras:
            picture = self._camera.fresh(given, self.config.largest_camera_age)
            together(picture, joints, self.config.largest_skew)
            ((name, _),) = self.body.spec.cameras
            self._reader.compressed = hasattr(picture.what, "format")
            frames = {CAMERA_PREFIX + name: self._reader.read(picture.what)}
            stamp = min(stamp, picture.stamp)
        if self.task.goal is None:
            raise Refused("no_goal")
        wanted = self._wanted(one.message)
        if self._commanded is None:
            self._commanded = self.body.still(joints.what)
        felt = self.body.proprio(joints.what, self._readings.velocity(joints), self._commanded)
        observation = self.task.seen(felt, frames, self.task.goal)
        outcome, _ = self._episodes.observed(observation, stamp)
        if outcome.transition is not None:
            self.report.rewards += outcome.transition.reward is not None
            yield outcome.transition
        action = self.body.action(self._commanded, wanted)
        self.report.clipped += bool(np.any(np.abs(action) > 1 + SLIP))
        decision = Decision((self._source,), 0.0, np.full(1, np.nan, np.float32), np.zeros(1, np.bool_))
        within = np.clip(action, -1, 1).astype(np.float32)
        self._episodes.decided(observation, within, stamp, decision, 0)
        self._commanded = self.body.within(wanted)

    def _wanted(self, message: Any) -> NDArray[np.float64]:
        try:
            return read_commanded(message, self.body)
        except MessageError as error:
            raise Refused("command_unreadable", str(error)) from error

    def _pause(self) -> None:
        """What was decided before led somewhere that nobody saw."""
        self._commanded = None
        self._episodes.interrupted()
