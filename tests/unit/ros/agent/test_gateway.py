"""What the agent hears from its gate."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.node import Node
from robot_agent_ros.agent import gateway as module
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.gateway import Gateway
from robot_agent_ros.agent.making_body import body_of_parameters
from robot_agent_ros.agent.pairing import Refused
from robot_agent_ros.endpoints import publisher, subscription
from robot_agent_ros.graph import ACCEPTED, COMMAND, GATE_STATUS
from robot_agent_ros.polling import Polled

BODY = body_of_parameters(
    AgentConfig(joints=("a",), lower=(-1.0,), upper=(1.0,), control_rate=10.0, streams=("proprio",))
)


class PlayedGate:
    """Another node, which says what a gate says."""

    def __init__(self) -> None:
        self.node: Node = rclpy.create_node("played_gate")
        self._status, self._accepted = publisher(self.node, GATE_STATUS), publisher(self.node, ACCEPTED)
        subscription(self.node, COMMAND, lambda message: self.heard.append(message))
        self.heard: list = []

    def say(self, status: str, **values: str) -> None:
        pairs = [KeyValue(key=key.replace("_", " "), value=value) for key, value in values.items()]
        self._status.publish(DiagnosticStatus(message=status, values=pairs))

    def accept(self, stamp: int) -> None:
        self._accepted.publish(Time(sec=stamp // 10**9, nanosec=stamp % 10**9))


@pytest.fixture
def pair(ros: None) -> Iterator[tuple[Gateway, PlayedGate]]:
    node, gate = rclpy.create_node("agent"), PlayedGate()
    gateway = Gateway(node, Polled())
    gateway.lead(BODY)
    until(lambda: node.count_publishers(ACCEPTED.name) > 0 and node.count_subscribers(COMMAND.name) > 0)
    yield gateway, gate
    node.destroy_node()
    gate.node.destroy_node()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_only_what_the_gate_accepted_was_accepted(pair: tuple[Gateway, PlayedGate]):
    gateway, gate = pair
    stamps = [gateway.send(np.zeros(1)) for _ in range(3)]
    assert not any(gateway.accepted(stamp) for stamp in stamps)
    gate.accept(stamps[1])
    until(lambda: gateway.accepted(stamps[1]))
    assert [gateway.accepted(stamp) for stamp in stamps] == [False, True, False]


@pytest.mark.parametrize(
    ("status", "values", "sentence"),
    [
        ("not_enabled", {}, "the gate lets no commands through: it waits for gate/enable"),
        ("several_sources", {"detail": "/left and /right"}, "the gate lets no commands through: /left and /right"),
        ("joints_lost", {}, "the gate lets no commands through"),
    ],
)
def test_a_gate_that_would_not_obey_says_why(
    pair: tuple[Gateway, PlayedGate], status: str, values: dict, sentence: str
):
    gateway, gate = pair
    gate.say(status, **values)
    until(lambda: gateway.poll() or gateway.status == status)
    with pytest.raises(Refused) as refused:
        gateway.check()
    assert (refused.value.name, str(refused.value)) == (f"gate_{status}", sentence)


def test_who_owns_the_robot_and_what_the_gate_lets_through_is_heard(pair: tuple[Gateway, PlayedGate]):
    gateway, gate = pair
    limits = {"a": {"lower": -1.0, "upper": 1.0, "velocity": 0.5}}
    gate.say("following", owner="/other", last_refusal="foreign_publisher", limits=json.dumps(limits))
    until(lambda: gateway.poll() or gateway.owner == "/other")
    gateway.check()
    assert gateway.limits == limits
    assert "foreign_publisher" in gateway.why_not
    assert "commanded by /other, until gate/release is called" in gateway.why_not


def test_a_gate_that_starts_again_is_left_to_whom_it_obeyed_before(
    pair: tuple[Gateway, PlayedGate], monkeypatch: pytest.MonkeyPatch
):
    gateway, gate = pair
    now = [1000.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def says(owner: str) -> None:
        before = gateway.last_refusal
        gate.say("holding", owner=owner, last_refusal=f"word after {before}")
        until(lambda: gateway.poll() or gateway.last_refusal != before)

    says("")
    gateway.check()  # nobody had it
    says("/other")
    says("")
    with pytest.raises(Refused) as refused:
        gateway.check()
    assert refused.value.name == "gate_unowned"
    now[0] += module.OWNER_COMES_BACK + 0.1
    says("")
    gateway.check()

    stamp = gateway.send(np.zeros(1))
    gate.accept(stamp)
    until(lambda: gateway.accepted(stamp))
    says("/agent")
    says("")
    gateway.check()  # it was its own


@pytest.mark.parametrize("words", ["as you like", "3", "[1]", '{"a": 1}', '{"a": {}}', '{"a": {"velocity": "fast"}}'])
def test_words_of_a_stranger_are_no_limits(pair: tuple[Gateway, PlayedGate], words: str):
    gateway, gate = pair
    gate.say("holding", limits=words)
    until(lambda: gateway.poll() or gateway.status == "holding")
    assert gateway.limits == {}
