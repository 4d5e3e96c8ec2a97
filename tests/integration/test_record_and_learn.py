"""From a running graph to a file, from the file to experience, and from experience to other weights."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from robot_agent_bags.bag import read_messages
from robot_agent_ros.graph import COMMAND, DIAGNOSTICS, JOINT_STATES, POSITIONS, RECORDER, SIM_BODY
from robot_agent_ros.messages.joints import read_joints
from robot_agent_sim.servo_arm.reach import JOINTS
from rosbags.highlevel import AnyReader
from trajectory_msgs.msg import JointTrajectoryPoint

from robot_agent.learning.learner import LearnerConfig
from robot_agent.learning.online import OnlineConfig, OnlineLearner
from robot_agent.learning.weight_store import LocalWeightStore
from robot_agent.replay.replay import Replay
from tests.ros_ears import Ears, ears
from tests.ros_graph import SOURCES, Processes
from tests.small import MIND


def act(listener: Ears, decisions: int) -> int:
    """Commands random motions, each about the newest joint state, 30 a simulated second."""
    rng, given = np.random.default_rng(0), 0
    last = 0.0
    command: np.ndarray | None = None

    def moved() -> bool:
        nonlocal given, last, command
        if listener.heard[JOINT_STATES.name]:
            state = listener.heard[JOINT_STATES.name][-1]
            now = state.header.stamp.sec + state.header.stamp.nanosec * 1e-9
            if now - last >= 0.0333:
                here = read_joints(state, JOINTS).position
                command = (here if command is None or now - last > 0.06 else command) + rng.uniform(-0.1, 0.1, 3)
                point = JointTrajectoryPoint(positions=command.tolist())
                message = listener.message(COMMAND, joint_names=list(JOINTS), points=[point])
                message.header.stamp = state.header.stamp
                listener.say(COMMAND, message)
                listener.say(POSITIONS, listener.message(POSITIONS, data=command.tolist()))  # as the gate would
                given, last = given + 1, now
        return given >= decisions

    listener.until(moved, 200.0)
    return given


def test_what_a_graph_did_is_recorded_imported_and_learned_from(tmp_path: Path):
    folder = tmp_path / "recordings"
    with Processes(tmp_path) as processes, ears(JOINT_STATES, DIAGNOSTICS) as listener:
        # A simulated clock at a tenth of real time: a busy machine loses no step of it.
        body = {"clock": True, "speed": 0.1, "image_width": 64, "image_height": 48}
        processes.start_node(SIM_BODY, body)
        processes.start_node(RECORDER, {"folder": str(folder), "free_megabytes": 0.0})
        listener.until(lambda: int(listener.diagnosed("recorder").get("messages written", 0)) > 50)
        given = act(listener, 45)
        listener.until(lambda: int(listener.diagnosed("recorder")["messages written"]) > 300)
        assert processes.stop("recorder") == 0
        assert processes.stop("sim_body") == 0
        assert "Traceback" not in processes.log("recorder") + processes.log("sim_body")
    (bag,) = folder.iterdir()
    with AnyReader([bag]) as reader:
        counts = {connection.topic: connection.msgcount for connection in reader.connections}
        assert reader.message_count == sum(counts.values())
        for connection, _, data in reader.messages():
            reader.deserialize(data, connection.msgtype)
    assert {"/clock", "/joint_states", "/camera/image_raw", "/agent/command", "/agent/goal", "/agent/reward"} <= set(
        counts
    )
    numbers = [one.sequence for one in read_messages(bag, {"/joint_states"})]
    assert min(numbers) > 0
    assert all(before < after for before, after in pairwise(numbers))  # by which two publishers would be noticed
    run = tmp_path / "run"
    args = ["import-bag", str(bag), "--out", str(run), "--world", "servo-arm/reach", "--reward", "world"]
    command = [sys.executable, "-m", "robot_agent.cli.main", *args]
    done = subprocess.run(command, env={"PYTHONPATH": SOURCES, "PATH": ""}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    replay = Replay(run / "replay")
    assert replay.decisions > 0.5 * given, done.stdout
    learner = OnlineLearner(
        next(iter(replay.segments.values())).spec,
        MIND,
        OnlineConfig(random_decisions=10, learner=LearnerConfig(batch_size=16)),
        replay,
        LocalWeightStore(),
    )
    before = {name: value.clone() for name, value in learner.learner.mind.state_dict().items()}
    assert learner.owed(replay.decisions) >= 5
    for _ in range(5):
        learner.update()
    assert learner.learner.updates == 5
    assert learner.learner.skipped_updates == 0
    assert any(not value.equal(before[name]) for name, value in learner.learner.mind.state_dict().items())
