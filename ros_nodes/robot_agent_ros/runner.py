"""Starts the graph as processes, where there is no `ros2 launch`: the same nodes, arguments and files."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from robot_agent_ros.errors import NodeError
from robot_agent_ros.graph import AGENT, ENABLE, GATE, RECORDER, SIM_BODY
from robot_agent_ros.managed import Managed
from robot_agent_ros.robots import Start
from robot_agent_ros.transport import check_middleware, whole_frames

RESTARTED = (GATE.name, RECORDER.name)
"""Nodes that are started again when they end; when another one ends, the graph does."""
MOST_RESTARTS = 5
"""Of one node within `RESTART_WINDOW`, before the graph ends."""
RESTART_WINDOW = 600.0
"""Seconds after which a restart no longer counts."""
RESTART_DELAY = 0.5
"""Seconds before a node is started again."""
STOPPING = {AGENT.name: 60.0, GATE.name: 10.0, RECORDER.name: 20.0, SIM_BODY.name: 10.0}
"""Seconds that a node has to end after SIGTERM; then it is killed."""
_PR_SET_PDEATHSIG = 1


@dataclass
class _Process:
    start: Start
    popen: subprocess.Popen[bytes]
    restarts: list[float] = field(default_factory=list)
    """When it was started again lately, s of a steady clock."""
    due: float | None = None

    def may_restart(self, now: float) -> bool:
        """Whether it did not end too often lately."""
        self.restarts = [when for when in self.restarts if now - when < RESTART_WINDOW]
        return len(self.restarts) < MOST_RESTARTS


@dataclass
class Runner:
    """Runs processes until `stop` is asked for or one ends that is needed.

    They stop in the opposite order: the agent first, which keeps what it learned, then the gate, which brakes to a
    hold, the body last. If this process dies, the others get SIGTERM.

    Args:
        starts: what to start, in this order.
        namespace: in which the nodes' names stand; empty for none.
        autostart: whether managed nodes are configured and activated.
        say: is told, in a line each, what happens.
        clock: s that never go back.
        confirm: asks a person whether the robot may move, as long as its argument is true; None where nobody is.
    """

    starts: Sequence[Start]
    namespace: str = ""
    autostart: bool = True
    say: Callable[[str], None] = lambda line: print(line, flush=True)  # who reads a pipe or a file reads it now, too
    clock: Callable[[], float] = time.monotonic
    confirm: Callable[[Callable[[], bool]], bool] | None = None
    _processes: dict[str, _Process] = field(default_factory=dict)
    _stopping: bool = False
    _is_disabled: bool = False

    def run(self, seconds: float | None = None) -> None:
        """Starts all, and stays until `stop`, or for some seconds; then stops all.

        Raises:
            NodeError: a node ended that the graph cannot be without, the agent could not be configured, or the
                middleware cannot do what the environment asks for.
        """
        check_middleware(os.environ)
        managed = [start.node for start in self.starts if start.node.managed]
        until = math.inf if seconds is None else time.monotonic() + seconds

        def goes_on() -> bool:
            self._watch()
            return not self._stopping and time.monotonic() < until

        try:
            for start in self.starts:
                self._processes[start.node.name] = _Process(start, self._spawn(start))
            self.say(f"up: {', '.join(self._processes)} (Ctrl-C ends it)")
            if self.autostart and managed:
                with Managed(self.namespace) as states:
                    for node in managed:
                        if states.activate(node, goes_on):
                            self.say(f"{node.name} is active")
            self._is_disabled = self._asks_first
            while goes_on():
                if self._is_disabled:
                    self._is_disabled = False
                    self._ask_first(goes_on)
                time.sleep(0.05)
        finally:
            self._stop_all()

    def stop(self) -> None:
        """Asks for the end; safe in a signal handler."""
        self._stopping = True

    @property
    def _asks_first(self) -> bool:
        """Whether the gate waits for gate/enable, and the robot's own file does not say that somebody else calls it."""
        return any(start.node.name == GATE.name and start.overrides.get("require_enable") for start in self.starts)

    def _ask_first(self, goes_on: Callable[[], bool]) -> None:
        """The first motion of a robot of one's own is asked for, also after its gate was started again."""
        if self.confirm is not None and self.confirm(goes_on):
            with Managed(self.namespace) as gate:
                if gate.enable(goes_on):
                    self.say("the robot may move")
            return
        if not goes_on():
            return
        service = "/".join(("", *filter(None, (self.namespace.strip("/"), ENABLE.name))))
        self.say(
            f"the robot does not move yet: call {service} (std_srvs/SetBool, data: true) to let it, or start with "
            "--enable"
        )

    def _spawn(self, start: Start) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C comes to this process alone, which ends the others in their order.
        return subprocess.Popen(
            self._command(start),
            env=whole_frames(os.environ),
            stdin=subprocess.DEVNULL,  # what a person types is for this process
            start_new_session=True,
            preexec_fn=_end_with(os.getpid()),
        )

    def _command(self, start: Start) -> list[str]:
        command = [sys.executable, "-m", start.node.module, "--ros-args", "--params-file", str(start.file)]
        for name, value in start.overrides.items():
            command += ["-p", f"{name}:={yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}"]
        if self.namespace:
            command += ["-r", f"__ns:=/{self.namespace.strip('/')}"]
        return command

    def _watch(self) -> None:
        """Starts again what has ended and may.

        Raises:
            NodeError: something ended that the graph cannot be without.
        """
        for name, process in self._processes.items():
            status, now = process.popen.poll(), self.clock()
            if status is None:
                continue
            if process.due is None:
                if name not in RESTARTED or not process.may_restart(now):
                    raise NodeError(f"{name} ended with status {status}, so the others were ended too: see its output")
                process.restarts.append(now)
                process.due = now + RESTART_DELAY
                self.say(f"{name} ended with status {status}: it is started again")
            elif now >= process.due:
                process.popen, process.due = self._spawn(process.start), None
                self._is_disabled |= name == GATE.name and self._asks_first

    def _stop_all(self) -> None:
        for name, process in reversed(self._processes.items()):
            _end(name, process.popen, self.say)
        self._processes.clear()


def _end(name: str, popen: subprocess.Popen[bytes], say: Callable[[str], None]) -> None:
    if popen.poll() is not None:
        return
    popen.send_signal(signal.SIGTERM)  # which, unlike SIGINT, ends a Python that still imports without a word
    try:
        popen.wait(STOPPING[name])
    except subprocess.TimeoutExpired:
        say(f"{name} did not end in {STOPPING[name]:g} s: it is killed")
        popen.kill()
        popen.wait()


def _end_with(parent: int) -> Callable[[], None]:
    """What a child does before it becomes its program: asks the kernel for SIGTERM when its parent is gone."""
    prctl: Any = getattr(ctypes.CDLL(None), "prctl", None)

    def prepare() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)

    return prepare
