"""A recording of a life that is known to the last number, made without ROS's network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from robot_agent_ros.graph import CAMERA_INFO, COMMAND, GOAL, IMAGE, JOINT_STATES, REWARD
from robot_agent_ros.messages.images import fill_image
from robot_agent_ros.recorder.bag import Bag
from robot_agent_sim.live import LiveWorld
from robot_agent_sim.servo_arm.reach import HOME, JOINTS, ServoArmReachEnv
from trajectory_msgs.msg import JointTrajectoryPoint

from tests.ros_wire import blank, put

START = 1_800_000_000.0
LARGEST = 0.1
"""rad that a full action of the servo arm moves the command by."""


def fill_lens(info: Any, height: int, width: int) -> None:
    """A lens that does not bend, of a frame so large."""
    info.height, info.width, info.distortion_model, info.d = height, width, "plumb_bob", [0.0] * 5
    info.k = [float(height), 0.0, (width - 1) / 2, 0.0, float(height), (height - 1) / 2, 0.0, 0.0, 1.0]


class Recording:
    """Random actions in `servo-arm/reach`, 30 a second, as the whole graph would be recorded.

    Attributes:
        actions, positions, velocities, commands: of each decision; `goals` and `rewards` too.
    """

    def __init__(
        self,
        folder: Path,
        decisions: int,
        *,
        namespace: str = "",
        rewards: bool = True,
        pause_at: int = -1,
        goal_every: int = 45,
        frame_size: tuple[int, int] = (12, 16),
        shuffled: bool = True,
    ) -> None:
        self.bag = Bag(folder)
        self.namespace = namespace
        self.world = LiveWorld(ServoArmReachEnv(streams=("proprio",)), 0.005)
        self.rng = np.random.default_rng(0)
        self.actions: list[np.ndarray] = []
        self.positions: list[np.ndarray] = []
        self.velocities: list[np.ndarray] = []
        self.commands: list[np.ndarray] = []
        self.frames: list[int] = []
        self.order = [2, 0, 1] if shuffled else [0, 1, 2]
        now, begins, readings = START, True, []
        self.world.command(HOME)
        due, count = now + 0.0304, 0
        while len(self.actions) < decisions:
            now += 0.005
            self.world.advance()
            reading = self.world.reading()
            self._joints(now, reading.position)
            readings.append(reading.position)
            if now >= due - 0.006:
                count += 1
                self._frame(now, count, frame_size)
                if (count - 1) % goal_every == 0:
                    self.world.new_goal()
                    self._say(GOAL, now + 0.0005, data=self.world.goal().tolist())
                if len(self.actions) == pause_at:
                    pause_at, due, begins = -1, now + 1.0, True
                    continue
                if begins:  # from where the joints are
                    command, begins = np.clip(reading.position, self.world.low, self.world.high), False
                action = self.rng.uniform(-1, 1, 3).astype(np.float32)
                command = np.clip(command + LARGEST * action, self.world.low, self.world.high)
                self._command(now + 0.002, command)
                self.world.command(command)
                self.actions.append(action)
                self.positions.append(reading.position)
                self.velocities.append((readings[-1] - readings[-8:][0]) / 0.035)  # the reading next to 1/30 s ago
                self.commands.append(command)
                self.frames.append(count)
                if rewards:
                    self._say(REWARD, now + 0.003, data=float(len(self.actions)))
                due += 1 / 30
        self.bag.close()

    def _joints(self, now: float, position: np.ndarray) -> None:
        message = blank(JOINT_STATES, now)
        message.name = [JOINTS[index] for index in self.order]
        message.position = [float(position[index]) for index in self.order]
        put(self.bag, JOINT_STATES, message, now + 0.0003, self.namespace)

    def _frame(self, now: float, count: int, size: tuple[int, int]) -> None:
        message = blank(IMAGE, now - 0.001)
        picture = np.full((*size, 3), count % 256, np.uint8)
        fill_image(message, picture)
        info = blank(CAMERA_INFO, now - 0.001)
        fill_lens(info, *size)
        put(self.bag, CAMERA_INFO, info, now + 0.0008, self.namespace)
        put(self.bag, IMAGE, message, now + 0.001, self.namespace)

    def _command(self, now: float, command: np.ndarray) -> None:
        message = blank(COMMAND, now)
        message.joint_names = [JOINTS[index] for index in self.order]
        message.points = [JointTrajectoryPoint(positions=[float(command[index]) for index in self.order])]
        put(self.bag, COMMAND, message, now + 0.0002, self.namespace)

    def _say(self, topic, now: float, **fields: object) -> None:
        message = blank(topic)
        for name, value in fields.items():
            setattr(message, name, value)
        put(self.bag, topic, message, now, self.namespace)
