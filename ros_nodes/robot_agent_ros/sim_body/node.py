"""The simulated body as a process: `ros2 run robot_agent sim_body`."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from functools import partial
from typing import Any

from geometry_msgs.msg import TwistStamped
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64, Float64MultiArray
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robot_agent_ros.diagnostics import Diagnostics, Level, Report
from robot_agent_ros.durations import Durations, Rate
from robot_agent_ros.endpoints import publisher, service, subscription
from robot_agent_ros.executable import run_node
from robot_agent_ros.graph import (
    CAMERA_INFO,
    CLOCK,
    GOAL,
    IMAGE,
    JOINT_STATES,
    POSITIONS,
    RESET_SIM,
    REWARD,
    SIM_BODY,
    TRAJECTORY,
    TWIST,
)
from robot_agent_ros.live_parameters import LiveParameters
from robot_agent_ros.messages.joints import read_command
from robot_agent_ros.messages.stamps import fill_stamp
from robot_agent_ros.sim_body.body import Body, Outcome
from robot_agent_ros.sim_body.camera import CameraProcess, CameraTask
from robot_agent_ros.sim_body.config import SimBodyConfig
from robot_agent_ros.sim_body.pacing import Pace
from robot_agent_ros.sim_body.worlds import camera_of, live_world

FRAME_PATIENCE = 5.0
"""s that a simulated clock stands still for a frame."""
CAMERA_PATIENCE = 60.0
"""s that it does not begin without the camera."""


class SimBodyNode(Node):
    """A thread of its own ticks; commands, the service and diagnostics are the executor's."""

    def __init__(self) -> None:
        super().__init__(SIM_BODY.name)
        self.parameters = LiveParameters(self, SimBodyConfig)
        config = self.parameters.config
        self.world = live_world(config.world, 1 / config.joint_rate, config.seed)
        self.body = Body(self.world, config)
        self.camera = self._start_camera(config) if config.camera_rate else None
        self._joints, self._goals, self._rewards = (publisher(self, row) for row in (JOINT_STATES, GOAL, REWARD))
        self._clocks = publisher(self, CLOCK) if config.clock else None
        self._state = JointState(name=list(self.world.names))
        subscription(self, POSITIONS, self._on_values)
        subscription(self, TRAJECTORY, self._on_trajectory)
        subscription(self, TWIST, self._on_twist)
        service(self, RESET_SIM, self._on_reset)
        self._rate, self._work = Rate(), Durations()
        Diagnostics(self, self._report, config.world)
        self._begin_anew = threading.Event()
        self._ends = threading.Event()
        self.pace = Pace(self.world.tick, config.clock)
        self._thread = threading.Thread(target=self._run, name="body", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stops the time and ends the camera."""
        self._ends.set()
        self._thread.join()
        if self.camera:
            self.camera.close()

    def _start_camera(self, config: SimBodyConfig) -> CameraProcess:
        return CameraProcess(
            CameraTask(
                world=config.world,
                camera=camera_of(self.world, config.camera),
                tick=self.world.tick,
                width=config.image_width,
                height=config.image_height,
                frame_id=config.frame_id,
                seed=config.seed,
                namespace=self.get_namespace(),
                image_topic=self.resolve_topic_name(IMAGE.name),
                info_topic=self.resolve_topic_name(CAMERA_INFO.name),
            )
        )

    # ---- the body's own thread ----

    def _run(self) -> None:
        """Lets time pass until the end; a body that cannot is a process that ends, so that everybody knows."""
        try:
            self._run_until_end()
        except Exception:
            traceback.print_exc()
            if self.camera:
                self.camera.process.kill()
            os._exit(1)

    def _run_until_end(self) -> None:
        if self.camera and self._clocks:
            self._await(self.camera)
        while not self._ends.is_set():
            stamp = self.pace.wait(self.parameters.config.speed)
            began = time.monotonic()
            self.body.config = self.parameters.config
            if self._begin_anew.is_set():
                self.body.begin()
                self._begin_anew.clear()
            self._publish(self.body.tick(stamp), stamp)
            self._rate.tick(began)
            self._work.add(time.monotonic() - began)

    def _await(self, camera: CameraProcess) -> None:
        """Until it is ready, has ended, or is not worth more patience; the end of the body ends that, too."""
        until = time.monotonic() + CAMERA_PATIENCE
        while not (camera.ready or self._ends.is_set() or time.monotonic() > until):
            camera.hear(patience=0.2)
            if camera.process.poll() is not None:
                return

    def _publish(self, outcome: Outcome, stamp: int) -> None:
        if self._clocks:
            clock = Clock()
            fill_stamp(clock.clock, stamp)
            self._clocks.publish(clock)
        for joints in outcome.joints:
            state = self._state
            fill_stamp(state.header.stamp, joints.stamp)
            state.position, state.velocity, state.effort = (values.tolist() for values in joints.what)
            self._joints.publish(state)
        if self.camera:
            if self.camera.revive() and self._clocks:
                self._await(self.camera)
            for exposure in outcome.exposures:
                self.camera.hear()
                self.camera.expose(exposure.stamp, exposure.what, self.body.config.camera_noise)
                if self._clocks:  # real time goes on by itself; a simulated clock waits for what was seen
                    self.camera.hear(exposure.stamp, FRAME_PATIENCE)
        if outcome.goal is not None:
            self._goals.publish(Float64MultiArray(data=outcome.goal.tolist()))
        if outcome.reward is not None:
            self._rewards.publish(Float64(data=float(outcome.reward)))

    # ---- what comes in ----

    def _on_values(self, message: Float64MultiArray) -> None:
        self.body.command(partial(self.world.command, list(message.data)))

    def _on_trajectory(self, message: JointTrajectory) -> None:
        quantity = "velocities" if self.world.by_velocity else "positions"
        message.points = message.points[:1]  # of a gate that says 200 times a second what comes next and how it ends
        self.body.command(lambda: self.world.command(read_command(message, self.world.names, quantity)))

    def _on_twist(self, message: TwistStamped) -> None:
        self.body.command(partial(self.world.drive, message.twist.linear.x, message.twist.angular.z))

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._begin_anew.set()
        response.success, response.message = True, "the body begins anew"
        return response

    # ---- what it says of itself ----

    def _report(self) -> Report:
        counts, config = self.body.counts, self.parameters.config
        values: dict[str, Any] = {
            "tick rate [Hz]": self._rate.hz,
            "tick jitter p99 [ms]": 1e3 * self._rate.jitter(self.world.tick / config.speed),
            **self._work.values("tick work"),
            "real time skipped [s]": round(self.pace.skipped, 3),
            "joint states lost": counts.joints_lost,
            "goals": counts.goals,
            "commands": counts.commands,
            "commands refused": counts.commands_refused,
            "last refusal": counts.last_refusal,
        }
        if self.camera:
            values |= {
                "frames published": self.camera.published,
                "frames lost": counts.exposures_lost,
                "frames missed": self.camera.missed,
                "frame [ms]": self.camera.milliseconds,
                "camera restarts": self.camera.restarts,
            }
            status = self.camera.status
            if status is not None:
                return Report(Level.ERROR, f"the camera's process ended with status {status} and starts again", values)
        return Report(Level.OK, "alive", values)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the body until SIGINT or SIGTERM; returns the exit status."""
    return run_node(SimBodyNode, argv, stop=SimBodyNode.end)


if __name__ == "__main__":
    sys.exit(main())
