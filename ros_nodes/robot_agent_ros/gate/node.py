"""The gate as a process: `ros2 run robot_agent gate`."""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from rclpy.clock import ROSClock
from rclpy.node import Node
from rclpy.subscription import Subscription
from robot_agent_bodies.gate.brake import State
from robot_agent_bodies.gate.config import AXES, GateConfig, joint_limits
from robot_agent_bodies.gate.gate import Bar, Command, Gate, Now, Refusal, Status
from robot_agent_bodies.gate.last_output import LastOutput, folder_of_user
from robot_agent_bodies.gate.trajectory import Trajectory
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from robot_agent_ros.diagnostics import Diagnostics, Level, Report, status_message
from robot_agent_ros.durations import Durations, Rate
from robot_agent_ros.endpoints import publisher, service, subscription
from robot_agent_ros.errors import ParameterError
from robot_agent_ros.executable import run_node
from robot_agent_ros.gate.lead import Lead
from robot_agent_ros.gate.news import REFUSALS, STATUSES
from robot_agent_ros.gate.outlet import Outlet
from robot_agent_ros.gate.speakers import UNNAMED, JointSources, node_of, publisher_of
from robot_agent_ros.graph import (
    ACCEPTED,
    COMMAND,
    ENABLE,
    GATE,
    GATE_STATUS,
    JOINT_STATES,
    POSITIONS,
    RELEASE,
    RESET,
    STOP,
    TRAJECTORY,
    TWIST,
    TWIST_COMMAND,
)
from robot_agent_ros.live_parameters import LiveParameters
from robot_agent_ros.news import News
from robot_agent_ros.polling import UNREADABLE, Polled, waiting
from robot_agent_ros.scheduling import ask_for_priority, threads_of_process

STATUS_PERIOD = 0.1
"""Seconds between two messages that say the same."""
_AT_ONCE = 0.001
"""Seconds in which all clocks are read, if the process is not interrupted."""
_READINGS = 5
"""Tries to do so."""
_ENDING = 5.0
"""Seconds that braking may take when the process ends."""
_LEVELS = {
    Status.FOLLOWING: Level.OK,
    Status.HOLDING: Level.OK,
    Status.WAITING_FOR_JOINTS: Level.WARN,
    Status.WAITING_FOR_REST: Level.WARN,
    Status.NOT_ENABLED: Level.WARN,
    Status.CLOCK_JUMPED: Level.WARN,
    Status.CLOCK_STOPPED: Level.WARN,
}


class GateNode(Node):
    """A thread of its own reads messages, and sends what the gate says to them, `rate` times a second.

    Services and diagnostics are the executor's; the two meet under one lock.
    """

    def __init__(self) -> None:
        super().__init__(GATE.name)
        self.config = LiveParameters(self, GateConfig).config
        prepare_process(self.config.core)
        self._last_output = self._find_last_output()
        self.gate = Gate(self.config, self._last_output.read() if self._last_output else None)
        self._lock = threading.Lock()
        self._ends = threading.Event()
        self._told: tuple[float, Status | None] = (0.0, None)
        self._last_refusal = ""
        self._simulated = 0.0
        self._ros: int | None = None
        self._joint_sources = JointSources(self, self.config)
        self._joints = frozenset(self.config.joints)
        self._news = News(self._say)
        self._lead = Lead({name: one.velocity for name, one in zip(self.config.joints, self.gate.limits, strict=True)})
        self._rate, self._work, self._age, self._stops = Rate(), Durations(), Durations(), Durations()
        row = {"joint_trajectory": TRAJECTORY, "twist": TWIST}.get(self.config.output, POSITIONS)
        self._outlet = Outlet(self, row, self.config)
        self._why_silent = ""
        self._status, self._accepted = publisher(self, GATE_STATUS), publisher(self, ACCEPTED)
        self._owner: tuple[bytes | None, str] = (None, "")
        self._limits = json.dumps(limits_of(self.config))
        self._inputs = [
            (subscription(self, row, take, Polled()), take)
            for row, take in (
                ((TWIST_COMMAND, self._on_twist),)
                if self.config.output == "twist"
                else ((JOINT_STATES, self._on_joint_states), (COMMAND, self._on_trajectory))
            )
        ]
        self._commands_come_on = self._inputs[-1][0].topic_name
        service(self, STOP, self._on_stop)
        service(self, RESET, self._on_reset)
        service(self, ENABLE, self._on_enable)
        service(self, RELEASE, self._on_release)
        Diagnostics(self, self._report)
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()
        self.priority = self._ask_for_priority(self.gate.config.priority)

    def _ask_for_priority(self, priority: int) -> int:
        """For DDS's threads too: a stop comes through them. Returns what the system granted."""
        refusal = ask_for_priority(priority, threads_of_process())
        if refusal:
            self.get_logger().warning(refusal)
        return 0 if refusal else priority

    def _find_last_output(self) -> LastOutput | None:
        """Where this robot's gate keeps what the next one begins from; None if it has no use for that, or no place."""
        if not self.config.measures or self.config.moves_by_velocity:
            return None
        domain, name = os.environ.get("ROS_DOMAIN_ID", "0"), self.get_fully_qualified_name().replace("/", ".")
        try:
            return LastOutput(folder_of_user() / f"{domain}{name}.json")
        except OSError as error:
            self.get_logger().warning(f"a gate that is started again begins where joints are measured: {error}")
            return None

    def end(self) -> None:
        """Brakes, and goes on sending until the output rests."""
        until = time.monotonic() + _ENDING
        with self._lock:
            self.gate.stop()
        while not self.gate.rests and time.monotonic() < until:
            time.sleep(1 / self.config.rate)
        time.sleep(2 / self.config.rate)
        self._ends.set()
        self._thread.join()
        gc.unfreeze()

    def now(self) -> Now:
        """The moment on the gate's clocks, which must be read without a pause between them to be the same moment."""
        for _ in range(_READINGS):
            began = time.monotonic()
            ros, system = self.get_clock().now().nanoseconds, time.time_ns()
            if time.monotonic() - began < _AT_ONCE:
                break
        clock = self.get_clock()
        if not (isinstance(clock, ROSClock) and clock.ros_time_is_active):
            return Now(began, ros, system)
        # Simulated time may go back; the sum of its steps ahead does not.
        self._simulated += max(0.0, (ros - (ros if self._ros is None else self._ros)) * 1e-9)
        self._ros = ros
        return Now(self._simulated, ros, system, real=began)

    # ---- what goes out ----

    def _run(self) -> None:
        """Sends outputs until the end; a gate that cannot is a process that ends, so that everybody knows."""
        try:
            self._run_until_end()
        except Exception:
            traceback.print_exc()
            os._exit(1)

    def _run_until_end(self) -> None:
        period = 1 / self.config.rate
        due = time.monotonic()
        while not self._ends.is_set():
            began = time.monotonic()
            with self._lock:
                for inbox, take in self._inputs:
                    self._take_all(inbox, take)
                self._look_around(began)
                self._send()
            now = time.monotonic()
            self._rate.tick(began)
            self._work.add(now - began)
            due = max(due + period, now)  # what was late is not caught up with
            time.sleep(due - now)

    def _take_all(self, inbox: Subscription[Any], take: Callable[[Any, Mapping[str, Any]], None]) -> None:
        try:
            for message, info in waiting(inbox):
                take(message, info)
        except UNREADABLE:  # bytes that are no message must not end the gate
            self.gate.refused[Refusal.MALFORMED] += 1

    def _send(self) -> None:
        now = self.now()
        states = self.gate.step(now)
        if states is not None:
            self._outlet.publish(self._message(states, now))
            if not self._outlet.why:
                self._keep_last_output(states)
        told_at, told = self._told
        real = time.monotonic()
        if self.gate.status is not told or real - told_at >= STATUS_PERIOD:
            self._told = (real, self.gate.status)
            self._status.publish(self._status_message())
            self._tell(real)

    def _keep_last_output(self, states: Sequence[State]) -> None:
        if self._last_output is None:
            return
        positions = [state.position for state in states]
        try:
            self._last_output.keep(dict(zip(self.config.joints, positions, strict=True)) if self.gate.rests else None)
        except OSError as error:  # no memory: it is a help, and no reason to leave the robot alone
            self._last_output = None
            self.get_logger().warning(f"where the output rests cannot be kept: {error}")

    def _message(self, states: Sequence[State], now: Now) -> Any:
        if self.config.output in ("forward_position", "forward_velocity"):
            ordered = [states[index] for index in self._outlet.controller.order]
            velocity = self.config.output == "forward_velocity"
            return Float64MultiArray(data=[state.velocity if velocity else state.position for state in ordered])
        if self.config.output == "joint_trajectory":
            assert self.gate.trajectory is not None
            return trajectory_message(self.config.joints, self.gate.trajectory)
        message = TwistStamped()
        message.header.frame_id = self.config.frame_id
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(now.ros, 10**9)
        for name, state in zip(self.config.joints, states, strict=True):
            part, axis = name.split(".")
            setattr(getattr(message.twist, part), axis, state.velocity)
        return message

    # ---- what comes in ----

    def _on_trajectory(self, message: JointTrajectory, info: Mapping[str, Any]) -> None:
        values, unused, seconds = None, [], 0.0
        if len(message.points) == 1:
            point = message.points[0]
            values = point.velocities if self.config.moves_by_velocity else point.positions
            unused = [*point.positions, *point.velocities, *point.accelerations, *point.effort]
            seconds = point.time_from_start.sec + point.time_from_start.nanosec * 1e-9
        self._on_command(message, info, list(message.joint_names), values, unused=unused, seconds=seconds)

    def _on_twist(self, message: TwistStamped, info: Mapping[str, Any]) -> None:
        twist = {name: getattr(getattr(message.twist, part), axis) for name in AXES for part, axis in [name.split(".")]}
        # An axis that this body has not got may only be 0; its name comes with the command if it is not.
        names = [name for name, value in twist.items() if name in self.config.joints or value != 0]
        values = [twist[name] for name in names]
        self._on_command(message, info, names, values, frame=message.header.frame_id)

    def _on_command(self, message: Any, info: Mapping[str, Any], names: list[str], values: Any, **more: Any) -> None:
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        source = info["source_timestamp"]
        now = self.now()
        publisher = publisher_of(self, info, self._commands_come_on)
        refusal = self.gate.command(Command(names, values, stamp, source, publisher, **more), now)
        if refusal is None:
            self._accepted.publish(message.header.stamp)
            if not self.config.moves_by_velocity:
                outputs = {
                    name: shaper.state.position
                    for name, shaper in zip(self.config.joints, self.gate.shapers, strict=True)
                }
                self._lead.add(dict(zip(names, values, strict=True)), outputs, now.steady)
        else:
            self._last_refusal = refusal.value
            if refusal in REFUSALS:
                sentence = f"commands are refused: {refusal.value}: {REFUSALS[refusal]}"
                self._news.event(f"refused {refusal.value}", sentence, time.monotonic())
        self._age.add((now.ros - stamp) * 1e-9)

    def _on_joint_states(self, message: JointState, info: Mapping[str, Any]) -> None:
        if self._joints.isdisjoint(message.name):
            return
        now = time.monotonic()
        if not self._joint_sources.hear(info, message.name, now):
            self.gate.ignored[Refusal.SEVERAL_SOURCES] += 1
            return
        if self._joint_sources.is_listening(now):
            return
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        refusal = self.gate.measure(message.name, message.position, message.velocity, stamp, self.now())
        if refusal in REFUSALS:
            sentence = f"joint states are ignored: {refusal.value}: {REFUSALS[refusal]}"
            self._news.event(f"ignored {refusal.value}", sentence, now)

    def _look_around(self, now: float) -> None:
        """Bars the gate while somebody else moves the robot, speaks for it, or takes the output for something else."""
        outlet, gate = self._outlet, self.gate
        outlet.poll(now)
        if outlet.why and not self._why_silent:
            gate.begin_again()
        self._why_silent = outlet.why
        gate.barred = None
        if outlet.rivals:
            others = ", ".join(outlet.rivals)
            gate.barred = Bar(Status.SEVERAL_SOURCES, f"{others} also sends to {outlet.topic}: stop all but one")
        elif complaint := self._joint_sources.complaint(now):
            gate.barred = Bar(Status.SEVERAL_SOURCES, complaint)
        elif outlet.why:
            gate.barred = Bar(Status.WRONG_CONTROLLER, outlet.why)

    def _on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        began = time.monotonic()
        with self._lock:
            self.gate.stop()
            self._send()  # at once: the next output of the thread is up to a period away
        self._stops.add(time.monotonic() - began)
        self.get_logger().warning("stopped: gate/reset goes on")
        response.success, response.message = True, Status.STOPPED.value
        return response

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        with self._lock:
            response.success, response.message = True, self.gate.reset(self.now())
            self._send()
        return response

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        with self._lock:
            self.gate.enable(request.data, self.now())
            self._send()
        response.success, response.message = True, self.gate.status.value
        return response

    def _on_release(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        with self._lock:
            owner = self._owner_name()
            self.gate.release()
            self._send()
        response.success, response.message = True, f"was {owner}'s" if owner else "was nobody's"
        self.get_logger().warning(f"released: the robot {response.message}, and is the next other publisher's")
        return response

    def _owner_name(self) -> str:
        """The node whose commands count; empty for none."""
        owner = self.gate.ownership.owner
        if owner != self._owner[0] or self._owner[1] == UNNAMED:  # DDS may say later whose it is
            self._owner = (owner, node_of(self, owner, self._commands_come_on) if owner is not None else "")
        return self._owner[1]

    # ---- what it says of itself ----

    @property
    def _detail(self) -> str:
        gate = self.gate
        if gate.barred is not None and gate.status is gate.barred.status:
            return gate.barred.why
        if gate.status is Status.WAITING_FOR_JOINTS and self._joint_sources.is_listening(time.monotonic()):
            return "it listens for other sources of joint states"
        return gate.detail

    def _tell(self, now: float) -> None:
        """Says changes on the console and /rosout; `now` in s of real time."""
        status, outlet = self.gate.status, self._outlet
        sentence = f"{status.value}: {self._detail or STATUSES.get(status, '')}".removesuffix(": ")
        what = sentence if self.gate.barred is not None else status.value  # other details have numbers that flicker
        self._news.state("status", what, sentence, _LEVELS.get(status) is not Level.OK, now)
        if self._lead.sentence:
            self._news.event("lead", self._lead.sentence, now)
        self._news.state("listeners", outlet.complaint, outlet.complaint, True, now)
        unchecked = outlet.is_heard and not outlet.controller.is_known and not outlet.why
        sentence = f"nobody says in which order {outlet.topic} takes the joints: give it as `controller_joints`"
        self._news.state("order", str(unchecked), sentence if unchecked else "", True, now)

    def _say(self, sentence: str, is_trouble: bool) -> None:
        if is_trouble:  # rclpy tells the two calls apart by their line
            self.get_logger().warning(sentence)
        else:
            self.get_logger().info(sentence)

    def _status_message(self) -> DiagnosticStatus:
        report = Report(
            _LEVELS.get(self.gate.status, Level.ERROR),
            self.gate.status.value,
            {
                "detail": self._detail,
                "accepted": self.gate.accepted,
                "last refusal": self._last_refusal,
                "owner": self._owner_name(),
                "limits": self._limits,
                "command_timeout [s]": self.config.command_timeout,
            },
        )
        return status_message(self.get_fully_qualified_name(), report)

    def _report(self) -> Report:
        gate = self.gate
        with self._lock:
            values = {
                "detail": self._detail,
                "output rate [Hz]": self._rate.hz,
                "real-time priority": self.priority,
                "output jitter p99 [ms]": 1e3 * self._rate.jitter(1 / self.config.rate),
                **self._work.values("work"),
                **self._age.values("command age"),
                **self._stops.values("stop"),
                "commands accepted": gate.accepted,
                "commands clipped to limits": gate.clipped,
                "newest command ahead of the output [rad]": self._lead.now,
                "plans overruled": gate.overruled,
                "output is heard": self._outlet.is_heard,
                **{f"refused: {name.value}": count for name, count in gate.refused.items()},
                **{f"joint states ignored: {name.value}": count for name, count in gate.ignored.items()},
            }
        return Report(_LEVELS.get(gate.status, Level.ERROR), gate.status.value, values)


def trajectory_message(joints: Sequence[str], trajectory: Trajectory) -> JointTrajectory:
    """A trajectory as a message."""
    message = JointTrajectory(joint_names=joints)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(trajectory.stamp, 10**9)
    for one in trajectory.points:
        point = JointTrajectoryPoint(positions=one.positions, velocities=one.velocities)
        point.time_from_start.sec, point.time_from_start.nanosec = divmod(one.nanoseconds, 10**9)
        message.points.append(point)
    return message


def limits_of(config: GateConfig) -> dict[str, dict[str, float]]:
    """Of each joint: `lower` and `upper` (rad) where it has ends, `velocity` (rad/s; of a twist in its own units)."""
    limits = zip(config.joints, joint_limits(config), strict=True)
    return {
        name: {key: value for key in ("lower", "upper", "velocity") if isfinite(value := getattr(one, key))}
        for name, one in limits
    }


def prepare_process(core: int) -> None:
    """Small pauses only: threads take turns often, and the garbage collector need not look at what stays."""
    sys.setswitchinterval(0.0005)
    if core >= 0:
        try:
            os.sched_setaffinity(0, {core})
        except OSError:
            raise ParameterError(f"core is {core}, expected one of {sorted(os.sched_getaffinity(0))}") from None
    gc.collect()
    gc.freeze()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the gate until SIGINT or SIGTERM; returns the exit status."""
    return run_node(GateNode, argv, stop=GateNode.end)


if __name__ == "__main__":
    sys.exit(main())
