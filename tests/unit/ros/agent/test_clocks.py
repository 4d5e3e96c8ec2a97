"""The clocks that decisions follow."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from robot_agent_ros.agent import clocks
from robot_agent_ros.agent.clocks import RosClock


def test_simulated_time_that_stands_still_is_noticed_while_it_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    real, ros, ends = [10.0], [0.0], threading.Event()
    monkeypatch.setattr(clocks, "time", SimpleNamespace(monotonic=lambda: real[0], sleep=lambda seconds: run(seconds)))
    clock = RosClock(lambda: ros[0], ends)
    seen: list[bool] = []

    def run(seconds: float) -> None:
        real[0] += seconds
        if real[0] < 11.0:
            ros[0] += seconds  # it runs, then it is paused, then somebody ends it
        elif real[0] > 13.0:
            ends.set()
        seen.append(clock.stands_still)

    clock.wait(100.0)
    assert not any(seen[: int(1.4 / clocks.LOOK_AGAIN)])
    assert all(seen[int(1.6 / clocks.LOOK_AGAIN) :])
