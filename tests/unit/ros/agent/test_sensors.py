"""When pictures came, in the clock that decisions follow."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest
from robot_agent_ros.agent import sensors
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.making_body import body_of_parameters
from robot_agent_ros.agent.sensors import RosSenses
from robot_agent_ros.graph import IMAGE
from sensor_msgs.msg import Image

CONFIG = AgentConfig(
    joints=("a",), lower=(-1.0,), upper=(1.0,), control_rate=10.0, image_size=(16, 16), camera_size=(16, 16),
)  # fmt: skip


@pytest.mark.parametrize("simulated", [False, True])
def test_pictures_arrive_in_the_time_that_decisions_follow(simulated: bool, monkeypatch: pytest.MonkeyPatch):
    ros = 5.0 if simulated else time.time()
    image = Image(height=16, width=16, encoding="rgb8", step=48, data=np.zeros(768, np.uint8).tobytes())
    image.header.stamp.sec, image.header.stamp.nanosec = int(ros), int(ros % 1 * 1e9)
    node = SimpleNamespace(
        create_subscription=lambda kind, topic, *_, **__: topic,
        get_clock=lambda: SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=ros * 1e9)),
    )
    came = [(image, {"received_timestamp": time.time_ns() - 20_000_000})]
    monkeypatch.setattr(sensors, "waiting", lambda topic: came if topic == IMAGE.name else [])
    senses = RosSenses(node, body_of_parameters(CONFIG), lambda: CONFIG, simulated)
    assert senses.poll()
    (arrival,) = senses.arrivals()
    assert arrival == pytest.approx((ros if simulated else time.monotonic()) - 0.02, abs=0.05)
    assert senses.arrivals() == []
