"""Configures and activates managed nodes from outside, as `ros2 lifecycle` does, and enables the gate."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool

from robot_agent_ros.errors import NodeError
from robot_agent_ros.graph import GATE, Node

_STEPS = {
    "unconfigured": (Transition.TRANSITION_CONFIGURE, "configure"),
    "inactive": (Transition.TRANSITION_ACTIVATE, "activate"),
}
"""The transition that leads on from a state."""


class Managed:
    """A node that calls the services of managed nodes; a context manager.

    Args:
        namespace: of the managed nodes; empty for none.
    """

    def __init__(self, namespace: str = "") -> None:
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("up", namespace=namespace or None, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)

    def activate(self, node: Node, goes_on: Callable[[], bool]) -> bool:
        """Brings a node to its state `active`, from whatever state it is in; waits as long as `goes_on`.

        Returns:
            whether it is active.

        Raises:
            NodeError: it refused a transition.
        """
        while goes_on():
            state = self._state(node, goes_on)
            if state == "active":
                return True
            if state not in _STEPS:
                time.sleep(0.05)  # on its way somewhere
                continue
            transition, name = _STEPS[state]
            request = ChangeState.Request()
            request.transition.id = transition
            answer = self._call(node, ChangeState, "change_state", request, goes_on)
            if answer is not None and not answer.success:
                raise NodeError(f"{node.name} could not {name}, and said why above: mend that, and start again")
        return False

    def enable(self, goes_on: Callable[[], bool]) -> bool:
        """Lets the robot move, by gate/enable; returns whether the gate has heard it."""
        return self._call(GATE, SetBool, "enable", SetBool.Request(data=True), goes_on) is not None

    def _state(self, node: Node, goes_on: Callable[[], bool]) -> str | None:
        answer = self._call(node, GetState, "get_state", GetState.Request(), goes_on)
        return None if answer is None else str(answer.current_state.label)

    def _call(self, node: Node, kind: Any, name: str, request: Any, goes_on: Callable[[], bool]) -> Any:
        client: Any = self._node.create_client(kind, f"{node.name}/{name}")
        try:
            while goes_on():
                if client.service_is_ready():
                    break
                self._executor.spin_once(timeout_sec=0.05)
            future = client.call_async(request)
            while goes_on() and not future.done():
                self._executor.spin_once(timeout_sec=0.05)
            return future.result() if future.done() else None
        finally:
            self._node.destroy_client(client)

    def __enter__(self) -> Managed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)
