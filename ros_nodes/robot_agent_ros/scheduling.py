"""Real-time priority (SCHED_FIFO) for what must not wait for others. No rclpy in here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

CALLING_THREAD = (0,)


def threads_of_process() -> tuple[int, ...]:
    """Every thread that this process has now, those of libraries too."""
    return tuple(int(name) for name in os.listdir("/proc/self/task"))


def ask_for_priority(priority: int, threads: Sequence[int] = CALLING_THREAD) -> str:
    """Asks the system for a priority; what these threads start later does not inherit it.

    Args:
        priority: 1 to 99; 0 asks for nothing.
        threads: who shall have it.

    Returns:
        what the system did not grant, in a sentence; empty if it did.
    """
    if priority <= 0:
        return ""
    try:
        for thread in threads:
            with suppress(ProcessLookupError):  # it has ended since
                os.sched_setscheduler(thread, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as error:
        return (
            f"real-time priority {priority} is refused ({error.strerror}), so it may be late on a busy machine: "
            f"grant rtprio {priority} in /etc/security/limits.conf, or set priority to 0"
        )
    return ""
