"""Where the learner runs: what it owes, publishes and reports, and when the actor waits for it."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace

import pytest

from robot_agent.agent import Agent, AgentConfig
from robot_agent.errors import RobotAgentError
from robot_agent.learning.checkpoint import CheckpointStore
from robot_agent.learning.learner import LearnerConfig
from robot_agent.learning.online import OnlineConfig, OnlineLearner
from robot_agent.learning.service import InlineLearnerService, LearnerJob, ProcessLearnerService, _serve_forever
from robot_agent.learning.weight_store import LocalWeightStore
from robot_agent.loop import Loop
from tests.small import MIND
from tests.unit.learning.lived import SPEC, live

ROOT = Path(__file__).parents[3]
ONLINE = OnlineConfig(random_decisions=10, learner=LearnerConfig(batch_size=8))


def job(run: Path, **changes) -> LearnerJob:
    return replace(LearnerJob(SPEC, MIND, ONLINE, 0, run, run / "weights"), **changes)


def test_inline_only_real_updates_are_published_and_reported(tmp_path: Path):
    service = InlineLearnerService(job(tmp_path))
    service.advance(500)
    assert (service.updates, service.skipped_updates, service.weights.latest()) == (0, 0, None)
    assert service.drain_metrics() == []
    live(tmp_path, [20])
    service.advance(120)
    assert (service.updates, (service.weights.latest() or (0, {}))[0]) == (120, 120)
    (record,) = service.drain_metrics()
    assert record["updates"] == 100
    assert "loss_reward" in record


@pytest.mark.parametrize("start", [InlineLearnerService, ProcessLearnerService])
def test_the_version_of_weights_is_the_updates_of_the_learner_also_after_a_resume(tmp_path: Path, start):
    live(tmp_path, [60])
    service = start(job(tmp_path, online=replace(ONLINE, publish_every=1)))
    agents = [Agent(SPEC, AgentConfig(MIND)) for _ in range(2)]
    patience = time.monotonic() + 60

    def learn(decisions: int) -> None:
        while service.updates < decisions and time.monotonic() < patience:
            service.advance(decisions)

    def newest(agent: Agent) -> int:
        Loop(agent, service.weights).swap_weights()
        return agent.weights_version

    learn(20)
    service.checkpoint(20, {})
    assert newest(agents[0]) == 20
    learn(30)
    service.close()
    assert newest(agents[0]) == 30
    service = start(job(tmp_path, online=replace(ONLINE, publish_every=1), resume=True))
    assert newest(agents[1]) >= 20  # shared weights are still those of 30 updates
    assert newest(agents[0]) == 30
    learn(40)
    service.close()
    assert [newest(agent) for agent in agents] == [40, 40]


def test_inline_weights_that_did_not_learn_are_not_published(tmp_path: Path):
    live(tmp_path, [20])
    losses = ONLINE.learner.losses
    losses = replace(losses, weights={**losses.weights, "consistency": float("nan")})
    online = replace(ONLINE, learner=replace(ONLINE.learner, losses=losses))
    service = InlineLearnerService(job(tmp_path, online=online))
    service.advance(20)
    assert (service.updates, service.skipped_updates, service.weights.latest()) == (0, 20, None)


def test_inline_learning_stops_when_told_to_hurry(tmp_path: Path):
    live(tmp_path, [20])
    service = InlineLearnerService(job(tmp_path))
    service.advance(20, hurry=lambda: service.updates == 3)
    assert service.updates == 3


@contextmanager
def served(learner: OnlineLearner, run: Path, largest_lag: int = 50) -> Iterator:
    """What a learner's process does, in a thread; gives the parent's end of the pipe."""
    ours, theirs = Pipe()
    thread = threading.Thread(
        target=_serve_forever, args=(learner, CheckpointStore(run / "checkpoints"), theirs, largest_lag), daemon=True
    )
    thread.start()
    try:
        yield ours
    finally:
        ours.send(("stop",))
        thread.join(20)


def test_a_served_learner_rests_while_there_is_nothing_to_learn_from_and_says_so(tmp_path: Path):
    learner = job(tmp_path).build(LocalWeightStore())
    looks = []
    owed = learner.owed
    learner.owed = lambda decisions: looks.append(decisions) or owed(decisions)  # type: ignore[method-assign]
    with served(learner, tmp_path) as pipe:
        pipe.send(("decisions", 30))
        assert pipe.recv() == ("progress", 0, 0, True)
        looks.clear()
        assert not pipe.poll(0.5)
        assert len(looks) <= 11  # 20 a second
        live(tmp_path, [20])
        assert [pipe.recv() for _ in range(30)] == [("progress", n, 0, False) for n in range(1, 31)]
        assert not pipe.poll(0.2)


@pytest.mark.parametrize("publish_every", [1, 10])
def test_a_served_learner_publishes_once_the_actor_goes_on(tmp_path: Path, publish_every: int):
    """Were it later, an actor that a slow learner holds at the largest lag would never get weights."""
    live(tmp_path, [20])
    learner = job(tmp_path, online=replace(ONLINE, publish_every=publish_every)).build(LocalWeightStore())
    publications = []
    learner.publish = lambda: publications.append(learner.learner.updates)  # type: ignore[method-assign]
    with served(learner, tmp_path, largest_lag=50) as pipe:
        pipe.send(("decisions", 100))
        while pipe.recv()[:2] != ("progress", 100):
            pass
    assert publications == list(range(50, 101, publish_every))


def test_a_process_learns_and_the_actor_waits_only_for_what_can_come(tmp_path: Path):
    service = ProcessLearnerService(job(tmp_path, online=replace(ONLINE, publish_every=1)), largest_lag=10)
    try:
        deadline = time.monotonic() + 30
        service.advance(100, hurry=lambda: time.monotonic() > deadline)
        assert time.monotonic() < deadline
        assert service.weights.latest() is None
        live(tmp_path, [20])
        while not service.updates and time.monotonic() < deadline:
            service.advance(100)
        service.advance(120, hurry=lambda: time.monotonic() > deadline)
        assert service.updates >= 110
        assert service.weights.latest() is not None
        service.advance(10**9, hurry=lambda: True)
        assert service.updates < 10**6
    finally:
        service.close()


def test_a_warning_in_the_learners_process_is_given_by_its_parent(tmp_path: Path):
    live(tmp_path, [20])
    first = InlineLearnerService(job(tmp_path))
    for decisions in (12, 15):
        first.advance(decisions)
        first.checkpoint(decisions, {})
    (tmp_path / "checkpoints" / "checkpoint-000000000015" / "state.json").write_text("{}")
    with pytest.warns(UserWarning, match="is damaged"):
        service = ProcessLearnerService(job(tmp_path, resume=True))
    assert service.updates == 12
    service.close()


def no_reward() -> None:
    raise RuntimeError("no reward")


def test_a_learner_that_cannot_begin_leaves_no_pipe_and_no_process_behind(tmp_path: Path):
    open_files = []
    for _ in range(2):  # the first process of all also opens what multiprocessing keeps
        with pytest.raises(RuntimeError, match="no reward"):
            ProcessLearnerService(job(tmp_path, make_goal_functions=no_reward))
        gc.collect()  # the error holds the frames that hold the process
        open_files.append(len(os.listdir("/proc/self/fd")))
    assert open_files[0] == open_files[1]
    assert not multiprocessing.active_children()


class _Elsewhere:
    """What another process cannot find again: a function of a script, or of a notebook."""

    def __reduce__(self) -> tuple[object, ...]:
        return _only_here, (os.getpid(),)


def _only_here(pid: int) -> None:
    if os.getpid() != pid:
        os._exit(1)  # as an interpreter does that cannot import what it is given, without the traceback


def test_a_learner_whose_process_cannot_start_says_what_to_do(tmp_path: Path):
    with pytest.raises(RobotAgentError, match=r"could not start: .* in a module that can be imported"):
        ProcessLearnerService(job(tmp_path, make_goal_functions=_Elsewhere()))


OUTLIVES_SIGTERM = """
import os, signal, sys
from pathlib import Path
from robot_agent.learning.service import ProcessLearnerService
from tests.unit.learning.test_service import job
if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: None)
    service = ProcessLearnerService(job(Path(sys.argv[1])))
    os.killpg(0, signal.SIGTERM)
    print(service.checkpoint(5, {}))
"""


def test_a_learner_that_stands_back_gets_only_what_a_core_has_left(tmp_path: Path):
    for idle, policy in ((True, os.SCHED_IDLE), (False, os.SCHED_OTHER)):
        service = ProcessLearnerService(job(tmp_path), idle=idle)
        assert os.sched_getscheduler(service.pid) == policy
        assert service.checkpoint(0, {}).exists()
        assert os.sched_getscheduler(service.pid) == policy
        service.close()


def test_a_learner_that_may_not_come_forward_again_writes_its_checkpoint_from_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    service = ProcessLearnerService(job(tmp_path), idle=True)
    allowed = os.sched_setscheduler

    def only_back(pid: int, policy: int, parameters: os.sched_param) -> None:
        if policy != os.SCHED_IDLE:
            raise PermissionError(1, "Operation not permitted")  # what Linux says without RLIMIT_NICE
        allowed(pid, policy, parameters)

    monkeypatch.setattr(os, "sched_setscheduler", only_back)
    assert service.checkpoint(0, {}).exists()
    service.close()


def test_an_actor_never_waits_for_a_learner_that_does_not_listen(tmp_path: Path):
    service = ProcessLearnerService(job(tmp_path), largest_lag=sys.maxsize)
    os.kill(service.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        for decisions in range(20_000):
            service.advance(decisions)
        assert time.monotonic() - began < 10
    finally:
        os.kill(service.pid, signal.SIGCONT)
        service.close()


def test_a_signal_to_the_group_leaves_the_checkpoint_to_the_parent_whose_end_ends_the_learner(tmp_path: Path):
    script = tmp_path / "outlives.py"
    script.write_text(OUTLIVES_SIGTERM)
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "kernels", "sim"))
    process = subprocess.run(
        [sys.executable, script, tmp_path / "run"],
        env={**os.environ, "PYTHONPATH": paths},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert CheckpointStore(tmp_path / "run/checkpoints").load_latest().step == 5


def test_a_learner_that_has_hung_up_but_not_yet_ended_can_be_closed():
    service = ProcessLearnerService.__new__(ProcessLearnerService)
    service._pipe, theirs = Pipe()
    theirs.close()
    service._is_ready = True
    service._process = SimpleNamespace(is_alive=lambda: len(joined) == 0, join=lambda timeout: joined.append(timeout))
    joined: list[float] = []
    service.close()
    assert len(joined) == 1
    assert service._pipe.closed
