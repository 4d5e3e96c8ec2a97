"""What the topics of a recording are for: by the names of our graph, or by what a person says of a foreign one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from robot_agent_bags.bag import Bag
from robot_agent_bags.errors import BagError

from robot_agent_ros.graph import (
    ACCEPTED,
    CAMERA_INFO,
    CLOCK,
    COMMAND,
    COMPRESSED_IMAGE,
    GATE_STATUS,
    GOAL,
    IMAGE,
    JOINT_STATES,
    POSITIONS,
    REWARD,
    TRAJECTORY,
    TWIST,
)


@dataclass(frozen=True)
class Role:
    """What messages of a recording are needed for.

    Attributes:
        name: as `--topic NAME=/topic` has it.
        names: of our graph where it is looked for, the first that is there counts.
        types: of its messages.
        what: it is, in words.
        instead: what can be done without it.
    """

    name: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    what: str
    instead: str = ""


def _role(name: str, rows: Sequence[str], types: Iterable[str], what: str, instead: str = "") -> Role:
    return Role(name, tuple(rows), tuple(types), what, instead)


JOINTS = _role("joints", [JOINT_STATES.name], ["sensor_msgs/msg/JointState"], "joint states")
CAMERA = _role(
    "camera",
    [IMAGE.name, COMPRESSED_IMAGE.name],
    ["sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"],
    "pictures",
    ", or take a run that sees none (--streams proprio)",
)
LENS = _role("camera_info", [CAMERA_INFO.name], ["sensor_msgs/msg/CameraInfo"], "what the camera's lens is")
COMMANDS = _role(
    "command",
    # A recording without an agent has the commands that the controllers got.
    [COMMAND.name, TRAJECTORY.name, POSITIONS.name, TWIST.name],
    [
        "trajectory_msgs/msg/JointTrajectory",
        "std_msgs/msg/Float64MultiArray",
        "geometry_msgs/msg/TwistStamped",
        "geometry_msgs/msg/Twist",
    ],
    "commands",
)
GOALS = _role(
    "goal", [GOAL.name], ["std_msgs/msg/Float64MultiArray"], "goals", ", or give the one goal in the parameters (goal)"
)
REWARDS = _role("reward", [REWARD.name], ["std_msgs/msg/Float64"], "rewards")
GATE = _role("gate", [GATE_STATUS.name], ["diagnostic_msgs/msg/DiagnosticStatus"], "what the gate did")
ACCEPTANCES = _role("accepted", [ACCEPTED.name], ["builtin_interfaces/msg/Time"], "which commands the gate accepted")
TIME = _role("clock", [CLOCK.name], ["rosgraph_msgs/msg/Clock"], "simulated time")
ROLES = (JOINTS, CAMERA, LENS, COMMANDS, GOALS, REWARDS, GATE, ACCEPTANCES, TIME)


def read_mapping(given: Sequence[str]) -> dict[str, str]:
    """Topics by the names of roles, of `camera=/camera/color/image_raw` and the like; an empty one leaves a role out.

    Raises:
        BagError: one is no such pair, or there is no such role.
    """
    names = [role.name for role in ROLES]
    mapping = {}
    for pair in given:
        name, equals, topic = pair.partition("=")
        if name not in names or not equals:
            raise BagError(f"--topic {pair} is none of {', '.join(names)}, followed by = and the name of a topic")
        mapping[name] = topic and "/" + topic.strip("/")
    return mapping


def roles_of(bag: Bag, namespace: str, given: Mapping[str, str], needed: Sequence[Role]) -> dict[str, Role]:
    """The roles of a recording's topics, by their whole names.

    Args:
        bag: that is looked through.
        namespace: of the robot, in which the names of our graph stand.
        given: topics by the names of roles, as a person said it.
        needed: roles without which nothing can be done.

    Raises:
        BagError: a needed role has no topic, or a topic has messages of another type; the sentence says what could be
            meant.
    """
    prefix = "/" + namespace.strip("/") + "/" if namespace.strip("/") else "/"
    there = bag.topics
    found: dict[str, Role] = {}
    for role in ROLES:
        names = [prefix + name.lstrip("/") if not name.startswith("/") else name for name in role.names]
        if role.name in given:
            names = [given[role.name]] if given[role.name] else []
        elif role is LENS and given.get(CAMERA.name):
            names = [_beside(given[CAMERA.name])]
        topic = next((name for name in names if name in there), None)
        if topic is None:
            if role in needed or (role.name in given and names):
                raise BagError(_missing(bag, role, names))
            continue
        strange = [kind for kind in there[topic].types if kind not in role.types]
        if strange:
            raise BagError(
                f"{topic} of {bag.path} carries {strange[0] or 'messages without a type'}, expected {role.what} as "
                f"{' or '.join(role.types)}{_hint(bag, role)}; --topic {role.name}= leaves them out"
            )
        found[topic] = role
    return found


def _beside(image: str) -> str:
    """Where image_transport puts the camera_info of an image."""
    folder, _, last = image.rpartition("/")
    return f"{folder.rpartition('/')[0] if last in ('compressed', 'compressedDepth') else folder}/camera_info"


def _missing(bag: Bag, role: Role, names: Sequence[str]) -> str:
    where = names[0] if names else f"a topic for {role.name}"
    only = ", ".join(bag.topics) or "no topic"
    return f"{bag.path} has nothing on {where}, only on {only}{_hint(bag, role)}{role.instead}"


def _hint(bag: Bag, role: Role) -> str:
    """What a person could give instead."""
    could = [name for name, topic in bag.topics.items() if set(topic.types) <= set(role.types)]
    if not could:
        return f": record the whole graph, no topic of it has {role.what}"
    others = f" (or {', '.join(could[1:4])})" if could[1:] else ""
    return f": give the robot's --namespace, or name the {role.what}, such as --topic {role.name}={could[0]}{others}"
