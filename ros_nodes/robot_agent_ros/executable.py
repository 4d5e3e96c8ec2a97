"""How an executable begins and ends: rclpy up, one sentence for an error, a clean end at SIGINT and SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TypeVar

import rclpy
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from robot_agent_ros.errors import NodeError
from robot_agent_ros.transport import check_middleware

N = TypeVar("N", bound=Node)


class Interrupted(BaseException):
    """A signal came while the node did something long; raised in the thread that spins it."""


def run_node(
    make_node: Callable[[], N],
    argv: Sequence[str] | None = None,
    make_executor: Callable[[], Executor] = SingleThreadedExecutor,
    stop: Callable[[N], None] | None = None,
    is_done: Callable[[N], bool] = lambda node: False,
    is_interruptible: Callable[[N], bool] = lambda node: False,
) -> int:
    """Makes a node and spins it until SIGINT or SIGTERM, or until it is done.

    Args:
        make_node: is called after rclpy.init; a `NodeError` that it raises is told in one line.
        argv: with ROS's own arguments; those of the process by default.
        make_executor: that spins the node.
        stop: is called with the node before it is destroyed, while it can still publish and call services.
        is_done: whether the node has ended by itself; asked between callbacks.
        is_interruptible: whether the first signal raises `Interrupted` in what the node does now; otherwise a signal
            waits for the end of a callback.

    Returns:
        the exit status: 0 after a signal or when the node is done, 2 for an error that a person can mend.
    """
    try:
        check_middleware(os.environ)
    except NodeError as error:
        return _failed(error)
    # rclpy's own handlers would end DDS before `stop` could publish anything.
    rclpy.init(args=None if argv is None else list(argv), signal_handler_options=SignalHandlerOptions.NO)
    ended: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        ended.append(number)
        if len(ended) == 1 and node is not None and is_interruptible(node):
            raise Interrupted

    node: N | None = None
    previous = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        node = make_node()
        executor = make_executor()
        executor.add_node(node)
        try:
            while not ended and rclpy.ok() and not is_done(node):
                executor.spin_once(timeout_sec=0.1)
        finally:  # whatever ended it, a robot is not left moving
            if stop is not None:
                stop(node)
        executor.shutdown()
    except ExternalShutdownException:
        pass
    except NodeError as error:
        return _failed(error)
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 0


def _failed(error: NodeError) -> int:
    print(f"robot-agent: error: {' '.join(str(error).split())}", file=sys.stderr)
    return 2
