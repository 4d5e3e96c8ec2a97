"""Subscriptions that a thread empties when it wants to, and that wake no executor.

A Python executor spends far more on being woken than on a message, 200 times a second for joint states alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.subscription import Subscription

MOST = 20
"""Messages that are taken at once, so that a flood of them cannot hold up the output."""
UNREADABLE: tuple[type[Exception], ...] = (rclpy_implementation.RCLError, UnicodeDecodeError)
"""What `waiting` raises for bytes that are no message of the type."""


class Polled(CallbackGroup):
    """The group of subscriptions that no executor serves."""

    def can_execute(self, entity: Any) -> bool:
        """Never."""
        return False

    def beginning_execution(self, entity: Any) -> bool:
        """Never."""
        return False

    def ending_execution(self, entity: Any) -> None:
        """Nothing began."""


def waiting(subscription: Subscription[Any]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """The messages that wait, oldest first, each with rclpy's message info."""
    for _ in range(MOST):
        with subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
        if taken is None:
            return
        yield taken
