"""A robot reached from a program that is no executable of the graph: its senses and its gate, polled by one thread."""

from __future__ import annotations

import os
from typing import Any

import rclpy
from numpy.typing import NDArray
from rclpy.context import Context
from rclpy.signals import SignalHandlerOptions

from robot_agent_ros.agent.body import RobotBody
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.control import Sight
from robot_agent_ros.agent.gateway import Gateway
from robot_agent_ros.agent.sensors import RosSenses
from robot_agent_ros.polling import Polled
from robot_agent_ros.transport import whole_frames


class RobotLink:
    """Plays the agent of the graph: takes what sensors say and sends commands to the gate.

    Args:
        name: of its node.
        body: whose joints are read and commanded.
        config: as of the node `agent`.
    """

    def __init__(self, name: str, body: RobotBody, config: AgentConfig) -> None:
        os.environ.update(whole_frames(os.environ))  # DDS looks there when the context begins
        self._config = config
        self._newest = 0
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node(name, context=self._context, enable_rosout=False)
        self._senses = RosSenses(self._node, body, lambda: config)
        self._gateway = Gateway(self._node, Polled())
        self._gateway.lead(body)
        self.now = self._senses.now

    @property
    def is_followed(self) -> bool:
        """Whether the gate has accepted the newest command; of a gate that need not be there: yes."""
        return not self._config.require_gate or self._gateway.accepted(self._newest)

    @property
    def why_not(self) -> str:
        """Why it was not accepted, as far as the gate says."""
        return self._gateway.why_not

    @property
    def last_refusal(self) -> str:
        """Of a command by the gate, by name; empty for none."""
        return self._gateway.last_refusal

    def arrivals(self) -> list[float]:
        """See `RosSenses.arrivals`."""
        return self._senses.arrivals()

    def poll(self) -> bool:
        """Takes what has come; returns whether there is a picture that was not looked at (or none is ever to come)."""
        self._gateway.poll()
        return self._senses.poll()

    def look(self) -> Sight:
        """What is to be acted on now.

        Raises:
            Refused: there is nothing to act on, or the gate would not obey.
        """
        sight = self._senses.look()  # before asking the gate, which misses the joints too, but cannot say why
        if self._config.require_gate:
            self._gateway.check()
        return sight

    def send(self, commanded: NDArray[Any]) -> None:
        """Commands the joints (n,), as decided now."""
        self._newest = self._gateway.send(commanded)

    def close(self) -> None:
        """Leaves the graph; the gate, which gets no more commands, holds."""
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)
