"""The one table of nodes, topics, services and arguments that launch files and the process runner share.

Names are relative, so that a namespace moves a whole robot; `/diagnostics` alone is shared by all robots. Nothing here
imports rclpy: the table is read where no ROS is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PACKAGE = "robot_agent"
"""As ROS knows it: the folder under `share/`, and the first word after `ros2 run`."""


@dataclass(frozen=True)
class Node:
    """A process of the graph.

    Attributes:
        name: of the node, and of its executable (`ros2 run robot_agent NAME`).
        module: that runs it with `python -m`.
        parameters: `module:class` of the dataclass that declares its parameters; importing it needs no rclpy.
        managed: a lifecycle node, to be configured and activated.
        what: it is for.
    """

    name: str
    module: str
    parameters: str
    what: str
    managed: bool = False


@dataclass(frozen=True)
class Topic:
    """A topic.

    Attributes:
        name: remappable.
        type: `package/Message`.
        quality: `sensor` (best effort, newest 5), `command` (reliable, newest only), `event` (reliable, newest 10), or
            `state` (as `event`, and late subscribers get the newest).
        publisher, subscribers: nodes of this table, or `robot` and `user` for what is not ours.
        what: it carries, with units.
    """

    name: str
    type: str
    quality: str
    publisher: str
    subscribers: tuple[str, ...]
    what: str


@dataclass(frozen=True)
class Service:
    """A service: its name, its type as `package/Service`, the node that offers it, and what it does."""

    name: str
    type: str
    server: str
    what: str


@dataclass(frozen=True)
class Argument:
    """An argument of the launch files and of `robot-agent ros up`.

    Attributes:
        name, default: both as text, as launch has them.
        what: it does.
        sets: (node, parameter) that get the value, unless it is empty.
    """

    name: str
    default: str
    what: str
    sets: tuple[tuple[str, str], ...] = ()


# ---- nodes, in the order in which they start; they stop in the opposite order, the agent first ----

SIM_BODY = Node(
    "sim_body",
    "robot_agent_ros.sim_body.node",
    "robot_agent_ros.sim_body.config:SimBodyConfig",
    "a MuJoCo world that publishes and obeys what a robot would",
)
RECORDER = Node(
    "recorder",
    "robot_agent_ros.recorder.node",
    "robot_agent_ros.recorder.config:RecorderConfig",
    "writes every topic of the graph to MCAP",
)
GATE = Node(
    "gate",
    "robot_agent_ros.gate.node",
    "robot_agent_bodies.gate.config:GateConfig",
    "lets only fresh, finite commands within limits through to the robot",
)
AGENT = Node(
    "agent",
    "robot_agent_ros.agent.node",
    "robot_agent_ros.agent.config:AgentConfig",
    "sees, feels, plans, acts and learns",
    managed=True,
)
NODES = (SIM_BODY, RECORDER, GATE, AGENT)

# ---- topics ----

JOINT_STATES = Topic(
    "joint_states",
    "sensor_msgs/JointState",
    "sensor",
    "robot",
    ("gate", "agent", "recorder"),
    "joints by name: rad, rad/s, N·m",
)
IMAGE = Topic("camera/image_raw", "sensor_msgs/Image", "sensor", "robot", ("agent", "recorder"), "what the camera sees")
COMPRESSED_IMAGE = Topic(
    "camera/image_raw/compressed",
    "sensor_msgs/CompressedImage",
    "sensor",
    "robot",
    ("agent", "recorder"),
    "the same as JPEG or PNG, where the network is slow",
)
CAMERA_INFO = Topic(
    "camera/camera_info", "sensor_msgs/CameraInfo", "sensor", "robot", ("agent", "recorder"), "the camera's lens"
)
COMMAND = Topic(
    "agent/command",
    "trajectory_msgs/JointTrajectory",
    "command",
    "agent",
    ("gate", "recorder"),
    "one point, stamped with the time of the decision: rad, or rad/s for an arm controlled by velocity",
)
TWIST_COMMAND = Topic(
    "agent/command",
    "geometry_msgs/TwistStamped",
    "command",
    "agent",
    ("gate", "recorder"),
    "the same for a rover: m/s and rad/s in base_link",
)
POSITIONS = Topic(
    "forward_position_controller/commands",
    "std_msgs/Float64MultiArray",
    "command",
    "gate",
    ("robot", "recorder"),
    "to a forward command controller, joints in its order: rad (or rad/s)",
)
TRAJECTORY = Topic(
    "joint_trajectory_controller/joint_trajectory",
    "trajectory_msgs/JointTrajectory",
    "command",
    "gate",
    ("robot", "recorder"),
    "to a joint_trajectory_controller, what it does next and how it stops: rad, rad/s",
)
TWIST = Topic(
    "cmd_vel",
    "geometry_msgs/TwistStamped",
    "command",
    "gate",
    ("robot", "recorder"),
    "to a velocity body: m/s and rad/s in base_link",
)
GATE_STATUS = Topic(
    "gate/status",
    "diagnostic_msgs/DiagnosticStatus",
    "state",
    "gate",
    ("agent", "recorder"),
    "what the gate does now, by name; at every change and 10 times a second",
)
ACCEPTED = Topic(
    "gate/accepted",
    "builtin_interfaces/Time",
    "event",
    "gate",
    ("agent", "recorder"),
    "the stamp of each command that counts: what is not among them did not happen",
)
GOAL = Topic(
    "agent/goal", "std_msgs/Float64MultiArray", "event", "user", ("agent", "recorder"), "the goal, in the world's units"
)
REWARD = Topic("agent/reward", "std_msgs/Float64", "event", "user", ("agent", "recorder"), "reward of the newest step")
DIAGNOSTICS = Topic(
    "/diagnostics", "diagnostic_msgs/DiagnosticArray", "event", "every node", ("user", "recorder"), "at 1 Hz"
)
CLOCK = Topic("/clock", "rosgraph_msgs/Clock", "sensor", "robot", ("every node", "recorder"), "simulated time, if any")
TOPICS = (
    JOINT_STATES,
    IMAGE,
    COMPRESSED_IMAGE,
    CAMERA_INFO,
    COMMAND,
    TWIST_COMMAND,
    POSITIONS,
    TRAJECTORY,
    TWIST,
    GATE_STATUS,
    ACCEPTED,
    GOAL,
    REWARD,
    DIAGNOSTICS,
    CLOCK,
)

# ---- services ----

STOP = Service("gate/stop", "std_srvs/Trigger", "gate", "emergency stop: brakes within limits and stays stopped")
RESET = Service("gate/reset", "std_srvs/Trigger", "gate", "goes on after a stop")
ENABLE = Service("gate/enable", "std_srvs/SetBool", "gate", "the enable switch, where one is required")
RELEASE = Service(
    "gate/release", "std_srvs/Trigger", "gate", "takes the robot from its owner: the next other publisher is obeyed"
)
RESET_SIM = Service("sim_body/reset", "std_srvs/Trigger", "sim_body", "puts the simulated body where it began")
SERVICES = (STOP, RESET, ENABLE, RELEASE, RESET_SIM)

# ---- arguments ----

ARGUMENTS = (
    Argument("robot", "sim", "a parameter file of launch/config, without .yaml, or the path of one"),
    Argument("namespace", "", "in which all names of this robot stand"),
    Argument("checkpoint", "", "run folder the agent starts from; empty: from nothing", (("agent", "checkpoint"),)),
    Argument("learn", "true", "false: the agent acts and keeps its weights", (("agent", "learn"),)),
    Argument("record", "false", "true: the recorder runs too"),
    Argument(
        "enable",
        "false",
        "true: a robot that is not simulated may move from the start; false: once gate/enable says so",
    ),
    Argument("autostart", "true", "false: the agent waits to be configured and activated by hand"),
)


def nodes_of(parameters: Mapping[str, Mapping[str, Any]], record: bool) -> tuple[Node, ...]:
    """The nodes that a robot needs, in the order in which they start.

    Args:
        parameters: of each node, as the robot's file has them; the simulated body runs if it has any.
        record: whether the recorder runs.
    """
    wanted = {GATE, AGENT}
    if SIM_BODY.name in parameters:
        wanted.add(SIM_BODY)
    if record:
        wanted.add(RECORDER)
    return tuple(node for node in NODES if node in wanted)
