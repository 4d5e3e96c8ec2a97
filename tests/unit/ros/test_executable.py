"""How an executable ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from rclpy.node import Node
from robot_agent_ros.executable import Interrupted, run_node

from tests.ros_graph import SOURCES, alone


def test_a_node_that_fails_is_stopped_before_it_is_gone():
    os.environ.update(alone())
    stopped: list[str] = []

    def make() -> Node:
        node = Node("failing")
        node.create_timer(0.001, lambda: 1 / 0)
        return node

    with pytest.raises(ZeroDivisionError):
        run_node(make, [], stop=lambda node: stopped.append(node.get_name()))
    assert stopped == ["failing"]


def test_a_node_that_is_done_ends_its_process():
    os.environ.update(alone())
    done: list[str] = []

    def make() -> Node:
        node = Node("shut_down")
        node.create_timer(0.001, lambda: done.append("done"))
        return node

    assert run_node(make, [], is_done=lambda node: bool(done)) == 0


def test_a_signal_ends_what_takes_long_if_the_node_says_so():
    os.environ.update(alone())
    seen: list[str] = []
    began = time.monotonic()

    def long() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            time.sleep(20)
        except Interrupted:
            seen.append("interrupted")

    def make() -> Node:
        node = Node("configuring")
        node.create_timer(0.001, long)
        return node

    previous = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        assert run_node(make, [], is_interruptible=lambda node: not seen) == 0
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert seen == ["interrupted"]
    assert time.monotonic() - began < 10


JAZZY = """
import rclpy.subscription
del rclpy.subscription.RCLError
import robot_agent_ros.{0}.node
"""
"""In the rclpy of Jazzy, the module `subscription` has no name RCLError."""


@pytest.mark.parametrize("node", ["gate", "sim_body", "recorder", "agent"])
def test_a_node_imports_only_what_rclpy_offers_on_every_release(node: str):
    subprocess.run([sys.executable, "-c", JAZZY.format(node)], env={**os.environ, "PYTHONPATH": SOURCES}, check=True)
