"""rclpy in this process: on loopback, in a domain that no other test run has."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import rclpy

from tests.ros_graph import alone


@pytest.fixture
def ros() -> Iterator[None]:
    """rclpy up for one test.

    With rclpy from PyPI every Python of the environment re-executes itself once when it starts (its wheels put a
    `.pth` file there that sets LD_LIBRARY_PATH), pytest too; after that, rclpy is imported as any other package.
    """
    os.environ.update(alone())
    rclpy.init()
    yield
    rclpy.try_shutdown()
