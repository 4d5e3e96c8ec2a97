"""The process runner, with small programs in place of nodes: order, restarts, ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from robot_agent_ros.errors import NodeError
from robot_agent_ros.graph import AGENT, GATE, SIM_BODY, Node
from robot_agent_ros.robots import Start
from robot_agent_ros.runner import MOST_RESTARTS, Runner

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
here, name = Path(__file__).parent, Path(__file__).stem
def note(what):
    with (here / "notes").open("a") as file:
        file.write(f"{name} {what}\\n")
def end(number, frame):
    note("ended")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
(here / f"{name}.pid").write_text(str(os.getpid()))
note("started " + " ".join(sys.argv[1:]))
time.sleep(0.3 if (here / f"{name}.short").exists() else 60)
sys.exit(3)
"""


class Programs:
    """Programs that stand for nodes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder, []
        self.starts = []
        for node in (SIM_BODY, GATE, AGENT):
            (folder / f"fake_{node.name}.py").write_text(PROGRAM)
            fake = replace(node, module=f"fake_{node.name}", managed=False)
            self.starts.append(Start(fake, folder / "robot.yaml", {"learn": True} if node is AGENT else {}))
        self.runner = Runner(self.starts, namespace="left", say=self.said.append)

    def pid(self, node: Node) -> int:
        path = self.folder / f"fake_{node.name}.pid"
        end = time.monotonic() + 30
        while not (path.exists() and path.read_text()):
            assert time.monotonic() < end
            time.sleep(0.02)
        return int(path.read_text())

    @property
    def notes(self) -> list[str]:
        path = self.folder / "notes"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Programs(tmp_path)


def run_beside(runner: Runner) -> tuple[threading.Thread, list[NodeError]]:
    errors: list[NodeError] = []

    def run() -> None:
        try:
            runner.run()
        except NodeError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


def test_nodes_get_their_arguments_and_end_in_the_opposite_order(programs: Programs):
    thread, errors = run_beside(programs.runner)
    for node in (SIM_BODY, GATE, AGENT):
        programs.pid(node)
    programs.runner.stop()
    thread.join(30)
    assert not errors
    file = programs.folder / "robot.yaml"
    common = f"started --ros-args --params-file {file}"
    assert sorted(note for note in programs.notes if "started" in note) == [
        f"fake_agent {common} -p learn:=true -r __ns:=/left",
        f"fake_gate {common} -r __ns:=/left",
        f"fake_sim_body {common} -r __ns:=/left",
    ]
    assert [note for note in programs.notes if "ended" in note] == [
        "fake_agent ended",
        "fake_gate ended",
        "fake_sim_body ended",
    ]


def test_a_gate_that_is_killed_is_started_again(programs: Programs):
    thread, errors = run_beside(programs.runner)
    first = programs.pid(GATE)
    os.kill(first, signal.SIGKILL)
    end = time.monotonic() + 30
    while programs.pid(GATE) == first:
        assert time.monotonic() < end
        time.sleep(0.02)
    programs.runner.stop()
    thread.join(30)
    assert not errors
    assert "gate ended with status -9: it is started again" in programs.said


def test_deaths_that_lie_far_apart_do_not_add_up(programs: Programs):
    hours = iter(range(1000))
    programs.runner.clock = lambda: 3600.0 * next(hours)
    (programs.folder / "fake_gate.short").touch()
    thread, errors = run_beside(programs.runner)
    end = time.monotonic() + 60
    while sum("it is started again" in line for line in programs.said) <= MOST_RESTARTS:
        assert thread.is_alive()
        assert time.monotonic() < end
        time.sleep(0.02)
    programs.runner.stop()
    thread.join(30)
    assert not errors


def test_a_gate_that_dies_again_and_again_ends_the_graph(programs: Programs):
    (programs.folder / "fake_gate.short").touch()
    with pytest.raises(NodeError, match="gate ended with status 3"):
        programs.runner.run(120)
    assert sum("it is started again" in line for line in programs.said) == MOST_RESTARTS


def test_without_its_body_the_graph_ends_and_says_why(programs: Programs):
    (programs.folder / "fake_sim_body.short").touch()
    with pytest.raises(NodeError, match="sim_body ended with status 3, so the others were ended too"):
        programs.runner.run(60)
    assert "fake_gate ended" in programs.notes


class NoGate:
    """In place of the client of managed nodes: notes that the gate was enabled."""

    enabled: list[str] = []  # noqa: RUF012

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def __enter__(self) -> NoGate:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def enable(self, goes_on: Callable[[], bool]) -> bool:
        self.enabled.append(self.namespace)
        return True


@pytest.fixture
def own(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """A robot that is not simulated: its gate waits."""
    monkeypatch.setattr("robot_agent_ros.runner.Managed", NoGate)
    NoGate.enabled.clear()
    starts = [start for start in programs.starts if start.node.name != SIM_BODY.name]
    programs.runner.starts = [
        replace(start, overrides={"require_enable": True}) if start.node.name == GATE.name else start
        for start in starts
    ]
    return programs


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_without_a_terminal_a_robot_of_ones_own_stays_still_and_it_says_how_to_enable_it(own: Programs):
    thread, errors = run_beside(own.runner)
    wait_until(lambda: any("/left/gate/enable" in line and "--enable" in line for line in own.said))
    own.runner.stop()
    thread.join(30)
    assert not errors
    assert NoGate.enabled == []


def test_an_end_is_no_answer_and_needs_no_advice(own: Programs):
    def ask(goes_on: Callable[[], bool]) -> bool:
        own.runner.stop()
        return False

    own.runner.confirm = ask
    own.runner.run(60)
    assert not any("does not move yet" in line for line in own.said)


@pytest.mark.parametrize("answer", [True, False])
def test_on_a_terminal_it_asks_again_after_its_gate_was_started_again(own: Programs, answer: bool):
    asked: list[bool] = []
    own.runner.confirm = lambda goes_on: asked.append(goes_on()) or answer
    thread, errors = run_beside(own.runner)
    wait_until(lambda: len(asked) == 1)
    os.kill(own.pid(GATE), signal.SIGKILL)
    wait_until(lambda: len(asked) == 2)
    time.sleep(0.2)
    own.runner.stop()
    thread.join(30)
    assert not errors
    assert NoGate.enabled == (["left", "left"] if answer else [])
