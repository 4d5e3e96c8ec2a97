"""Durations and rates, also while another thread adds to them."""

from __future__ import annotations

import threading

import pytest
from robot_agent_ros.durations import Durations, Rate


def test_quantiles_are_values_that_were_there():
    durations = Durations(size=100)
    assert durations.quantile(0.99) == 0.0
    for value in range(200):
        durations.add(value / 1000)
    assert len(durations) == 100
    assert (durations.quantile(0), durations.quantile(0.5), durations.quantile(1)) == (0.1, 0.15, 0.199)
    assert durations.values("plan")["plan p99 [ms]"] == "199.00"


def test_a_rate_and_its_jitter():
    rate = Rate()
    for now in (0.0, 0.1, 0.2, 0.33, 0.4):
        rate.tick(now)
    assert rate.hz == pytest.approx(10.0)
    assert rate.jitter(0.1) == pytest.approx(0.03)


def test_one_thread_reads_what_another_one_adds_to():
    rate, ends = Rate(), threading.Event()

    def add() -> None:
        now = 0.0
        while not ends.is_set():
            now += 0.001
            rate.tick(now)

    thread = threading.Thread(target=add)
    thread.start()
    try:
        for _ in range(300):
            rate.jitter(0.001)
            rate.periods.values("period")
    finally:
        ends.set()
        thread.join()
