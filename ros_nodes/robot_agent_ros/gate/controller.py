"""The controller that the gate sends to: which joints it has, and in which order."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from robot_agent_bodies.gate.config import GateConfig

_PATIENCE = 2.0
"""s in which the controller's node must answer before it is asked again."""
_CONTINUES = ("interpolate_from_desired_state", "open_loop_control")
"""Either lets a joint_trajectory_controller begin a trajectory from what it wants; the second is the older name."""
_QUESTIONS = ("joints", "interface_name", "allow_partial_joints_goal", *_CONTINUES)
"""Parameters of ros2_control's controllers; each is asked alone, since one that a node lacks voids the whole answer."""
_BOOL = ParameterType.PARAMETER_BOOL
_INTERFACES = {"forward_position": "position", "forward_velocity": "velocity"}


class Controller:
    """Asks the controller's node for its joints whenever the controller subscribes anew.

    Args:
        node: that asks; an executor must serve it.
        name: of the controller's node, fully qualified.
        config: of the gate; its `controller_joints` is believed, and then nobody is asked.

    Attributes:
        order: for each number of an output the index of the gate's joint.
        why: the output must not be sent, in a sentence; empty if it may.
        is_known: the order was given, or said by the controller; names in the message make it known, too.
    """

    def __init__(self, node: Node, name: str, config: GateConfig) -> None:
        self.name, self._config = name, config
        self.order: tuple[int, ...] = tuple(range(len(config.joints)))
        self.why = ""
        self.is_asked = config.output != "twist" and not config.controller_joints
        self.is_known = config.output in ("twist", "joint_trajectory") or bool(config.controller_joints)
        if config.controller_joints:
            self.order = tuple(config.joints.index(joint) for joint in config.controller_joints)
        self._client: Any = node.create_client(GetParameters, f"{name}/get_parameters") if self.is_asked else None
        self._known: frozenset[bytes] = frozenset()
        self._asked_for: frozenset[bytes] = frozenset()
        self._futures: dict[str, Any] = {}
        self._asked_at = 0.0

    def check(self, subscriptions: frozenset[bytes]) -> None:
        """Sets `why` for these subscriptions of the controller; asks it about those that are new."""
        if not self.is_asked:
            return
        self._hear()
        if subscriptions <= self._known:
            self.why = ""
        elif subscriptions != self._asked_for or (self._futures and time.monotonic() - self._asked_at > _PATIENCE):
            self._ask(subscriptions)

    def _ask(self, subscriptions: frozenset[bytes]) -> None:
        for future in self._futures.values():
            self._client.remove_pending_request(future)
        self._futures = {}
        self.why = f"{self.name} has not said which joints it has: its parameters are asked"
        if self._client.service_is_ready():
            self._asked_for, self._asked_at = subscriptions, time.monotonic()
            self._futures = {name: self._client.call_async(GetParameters.Request(names=[name])) for name in _QUESTIONS}

    def _hear(self) -> None:
        if not self._futures or not all(future.done() for future in self._futures.values()):
            return
        answers = {name: future.result() for name, future in self._futures.items()}
        self._futures = {}
        said = {name: answer.values[0] for name, answer in answers.items() if answer and answer.values}
        joints = list(said["joints"].string_array_value) if "joints" in said else []
        interface = said["interface_name"].string_value if "interface_name" in said else ""
        partial = said["allow_partial_joints_goal"].bool_value if "allow_partial_joints_goal" in said else False
        continues = [said[name].bool_value for name in _CONTINUES if name in said and said[name].type == _BOOL]
        restarts = bool(continues) and not any(continues)
        self.why = disagreement(self._config, self.name, joints, interface, partial, restarts)
        if not self.why:
            self._known = self._asked_for
            if joints and self._config.output != "joint_trajectory":
                self.order, self.is_known = tuple(self._config.joints.index(joint) for joint in joints), True


def disagreement(
    config: GateConfig, name: str, joints: Sequence[str], interface: str, partial: bool, restarts: bool = False
) -> str:
    """Why a controller is not the one that the gate is configured for, in a sentence; empty if it is.

    Args:
        config: of the gate.
        name: of the controller.
        joints: its parameter `joints`; empty if it has none, which is believed.
        interface: its parameter `interface_name`; empty if it has none.
        partial: its parameter `allow_partial_joints_goal`.
        restarts: it says that it begins each trajectory where joints are measured.
    """
    wanted = _INTERFACES.get(config.output, "")
    if interface and wanted and interface != wanted:
        return f"{name} commands {interface}, and the gate's output is {config.output}: set one as the other"
    missing = [joint for joint in config.joints if joint not in joints]
    more = [joint for joint in joints if joint not in config.joints]
    may_lack = config.output == "joint_trajectory" and partial
    if joints and (missing or (more and not may_lack)):
        return (
            f"{name} has the joints {', '.join(joints)}, and the gate {', '.join(config.joints)}: "
            "set the gate's `joints` to those of the controller"
        )
    if config.output == "joint_trajectory" and restarts:
        return (
            f"{name} begins each trajectory where joints are measured, which is behind what it wanted, and would jerk: "
            f"set its {' or, where it has no such parameter, '.join(_CONTINUES)} to true"
        )
    return ""
