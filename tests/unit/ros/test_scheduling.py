"""A real-time priority is asked for where it is wanted, and done without where it is refused."""

from __future__ import annotations

import os
import threading

import pytest
from robot_agent_ros.scheduling import ask_for_priority, threads_of_process


@pytest.mark.parametrize("error", [PermissionError(1, "Operation not permitted"), OSError(22, "Invalid argument")])
def test_whatever_refuses_a_priority_is_a_sentence(error: OSError, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert f"real-time priority 7 is refused ({error.strerror})" in ask_for_priority(7)
    assert ask_for_priority(0) == ""


def test_all_threads_get_it_but_those_that_have_ended(monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[int, int, int]] = []

    def grant(who: int, policy: int, param: os.sched_param) -> None:
        if who == 1:
            raise ProcessLookupError(3, "No such process")
        asked.append((who, policy, param.sched_priority))

    monkeypatch.setattr(os, "sched_setscheduler", grant)
    assert ask_for_priority(20, (1, 2, 3)) == ""
    assert asked == [(who, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, 20) for who in (2, 3)]


def test_threads_of_a_process_are_its_own():
    ends = threading.Event()
    thread = threading.Thread(target=ends.wait)
    thread.start()
    try:
        assert {threading.get_native_id(), thread.native_id} <= set(threads_of_process())
    finally:
        ends.set()
        thread.join()
