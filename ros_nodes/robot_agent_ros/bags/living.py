"""A recording lived again: decisions, what they were about, what came of them; paired as the agent's node does it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from robot_agent_bags.bag import Recorded

from robot_agent.agent import Decision
from robot_agent.types import CAMERA_PREFIX, Source, Transition
from robot_agent_ros.agent.body import RobotBody
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.episodes import Episodes
from robot_agent_ros.agent.frames import FrameReader
from robot_agent_ros.agent.pairing import Feed, Readings, Refused, together
from robot_agent_ros.agent.partial import Partial
from robot_agent_ros.agent.task import Task
from robot_agent_ros.bags.orders import Order
from robot_agent_ros.bags.roles import CAMERA, COMMANDS, GOALS, JOINTS, LENS, REWARDS, TIME, Role
from robot_agent_ros.bags.survey import Survey
from robot_agent_ros.messages.error import MessageError
from robot_agent_ros.messages.stamps import to_seconds

GAP = 1.8
"""Periods without a command after which the decisions before and after it are not of one episode."""
SLIP = 0.05
"""Of a full action: what a command may be beyond it before the action counts as clipped."""


@dataclass
class Report:
    """What became of the commands of a recording.

    Attributes:
        commands: all of them.
        refused: decisions that were none, by why no transition came of them.
        between: commands that are no decisions, since they came faster than control periods.
        pauses: commands that came later than `GAP` periods after the one before.
        clipped: actions that were larger than an agent's can be.
        rewards: transitions whose reward is known.
        sentence: why the last of the refused was.
    """

    commands: int
    refused: Counter[str]
    between: int = 0
    pauses: int = 0
    clipped: int = 0
    rewards: int = 0
    sentence: str = ""


class Living:
    """Makes transitions of recorded messages.

    Each order is a decision about the newest picture and joint state that were there when it was given. Its action is
    what leads to it from the order before, or from a body that stands still after a pause.

    Args:
        body: what actions mean.
        task: goal and reward; gets the goals and rewards that were recorded.
        config: bounds on ages, and how long an episode is.
        roles: of the recording's topics.
        survey: the orders, and whose clock is whose.
        first_episode: its number.
        source: who gave the commands.
    """

    def __init__(
        self,
        body: RobotBody,
        task: Task,
        config: AgentConfig,
        roles: Mapping[str, Role],
        survey: Survey,
        first_episode: int = 0,
        source: Source = Source.PLAN,
    ) -> None:
        self.body, self.task, self.config = body, task, config
        self.report = Report(survey.commands, Counter(), survey.between)
        self._roles, self._late, self._source = roles, survey.late, source
        self._orders, self._astray = deque(survey.orders), survey.astray
        self._command = -1
        self._episodes = Episodes(task.reward, body.spec.control_dt, config.episode_seconds, first_episode)
        self._camera: Feed[Any] = Feed("camera")
        self._joints: Feed[NDArray[np.float64]] = Feed("joints")
        self._partial = Partial(body.joints, config.largest_joint_age)
        self._commanded: NDArray[np.float64] | None = None
        self._readings = Readings(body.frame)
        self._last = -np.inf
        self._clock: float | None = None
        opening = body.opening if config.camera_view == "world" else None
        size = body.spec.cameras[0][1] if body.spec.cameras else (1, 1)
        self._reader = FrameReader(size, (), False, opening, config.image_bits)

    def live(self, messages: Iterable[Recorded]) -> Iterator[Transition]:
        """The transitions of messages in the order in which they came."""
        for one in messages:
            role, message = self._roles[one.topic], one.message
            if role is TIME:
                self._clock = to_seconds(message.clock)
            elif role is COMMANDS:
                self._command += 1
            yield from self._due(self._now(one))
            if role is JOINTS:
                self._feel(one)
            elif role is CAMERA and self.body.spec.cameras:
                self._offer(self._camera, one, to_seconds(message.header.stamp) or self._now(one), message)
            elif role is LENS:
                self._reader.look_through(message)
            elif role is GOALS:
                self.task.set_goal(message.data)
            elif role is REWARDS:
                self.task.give_reward(self._now(one), message.data)

    def _now(self, one: Recorded) -> float:
        """s of ROS's clock when a message was sent: a simulator's where there is one."""
        return one.published - self._late if self._clock is None else self._clock

    def _offer(self, feed: Feed[Any], one: Recorded, stamp: float, what: Any) -> bool:
        largest = self.config.largest_camera_age if feed is self._camera else self.config.largest_joint_age
        return feed.offer(stamp, self._now(one), lambda: what, largest, self.config.future_tolerance)

    def _feel(self, one: Recorded) -> None:
        stamp = to_seconds(one.message.header.stamp) or self._now(one)
        try:
            joints = self._partial.add(one.message, stamp)
        except MessageError as error:
            self._joints.refuse(Refused("joints_unreadable", str(error)))
            return
        if joints is not None and joints[0] in self._astray:
            self._joints.refuse(Refused("joints_astray", "the joints are far from where they were before and after"))
        elif joints is not None and self._offer(self._joints, one, *joints):
            self._readings.add(*joints)

    def _due(self, now: float) -> Iterator[Transition]:
        """The orders of the messages that have come, the later ones of a trajectory at their time."""
        while self._orders:
            order = self._orders[0]
            if order.number > self._command or (order.number == self._command and order.step and order.at > now):
                return
            self._orders.popleft()
            if order.refused:  # nothing came of it, and it stands between no others
                self.report.refused[order.refused] += 1
                self.report.sentence = order.sentence
                continue
            try:
                yield from self._decided(order)
            except Refused as why:
                self.report.refused[why.name] += 1
                self.report.sentence = str(why)
                self._pause()

    def _decided(self, order: Order) -> Iterator[Transition]:
        since = order.at - self._last
        if not 0 < since <= GAP * self.body.spec.control_dt:
            self.report.pauses += bool(np.isfinite(since))
            self._pause()
        self._last = order.at
        assert order.wanted is not None
        joints = self._joints.fresh(order.at, self.config.largest_joint_age)
        stamp, frames = joints.stamp, {}
        if self.body.spec.cameras:
            picture = self._camera.fresh(order.at, self.config.largest_camera_age)
            together(picture, joints, self.config.largest_skew)
            ((name, _),) = self.body.spec.cameras
            self._reader.compressed = hasattr(picture.what, "format")
            frames = {CAMERA_PREFIX + name: self._reader.read(picture.what)}  # unpacked when a decision is about it
            stamp = min(stamp, picture.stamp)
        if self.task.goal is None:
            raise Refused("no_goal", "no goal was recorded before it")
        if self._commanded is None:
            self._commanded = self.body.still(joints.what)
        felt = self.body.proprio(joints.what, self._readings.velocity(joints), self._commanded)
        observation = self.task.seen(felt, frames, self.task.goal)
        outcome, _ = self._episodes.observed(observation, stamp)
        if outcome.transition is not None:
            self.report.rewards += outcome.transition.reward is not None
            yield replace(outcome.transition, dt=since)  # as it was, not as it should have been
        action = self.body.action(self._commanded, order.wanted)
        self.report.clipped += bool(np.any(np.abs(action) > 1 + SLIP))
        decision = Decision((self._source,), 0.0, np.full(1, np.nan, np.float32), np.zeros(1, np.bool_))
        within = np.clip(action, -1, 1).astype(np.float32)
        self._episodes.decided(observation, within, stamp, decision, 0)
        self._commanded = self.body.within(order.wanted)

    def _pause(self) -> None:
        """What was decided before led somewhere that nobody saw."""
        self._commanded = None
        self._episodes.interrupted()
