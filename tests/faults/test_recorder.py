"""What a recorder does when it is killed and when its disk is full; the graph does not notice either."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from robot_agent_bags.bag import read_messages
from robot_agent_ros.graph import DIAGNOSTICS, IMAGE, JOINT_STATES, RECORDER, SIM_BODY

from tests.ros_ears import Ears, ears
from tests.ros_graph import Processes

BODY = {"image_width": 64, "image_height": 48}


def started(processes: Processes, listener: Ears, folder: Path, **parameters: object) -> None:
    """A simulated body, and a recorder that has recorded something of it."""
    processes.start_node(SIM_BODY, BODY)
    processes.start_node(RECORDER, {"folder": str(folder), "free_megabytes": 0.0, "chunk_seconds": 0.2, **parameters})
    listener.until(lambda: int(listener.diagnosed("recorder").get("messages written", 0)) > 100)


def allow(listener: Ears, megabytes: float) -> None:
    """Sets how much the disk must have left."""
    client = listener.node.create_client(SetParameters, "recorder/set_parameters")
    assert client.wait_for_service(30.0)
    value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=megabytes)
    request = SetParameters.Request(parameters=[Parameter(name="free_megabytes", value=value)])
    future = client.call_async(request)
    listener.until(future.done)
    assert future.result().results[0].successful


def read(folder: Path) -> dict[str, int]:
    """Messages of all recordings in a folder, by topic."""
    counts: dict[str, int] = {}
    for recording in folder.iterdir():
        for one in read_messages(recording):
            counts[one.topic] = counts.get(one.topic, 0) + 1
    return counts


def test_a_recorder_that_is_killed_leaves_all_but_its_last_moment(tmp_path: Path):
    folder = tmp_path / "recordings"
    with Processes(tmp_path) as processes, ears(JOINT_STATES, IMAGE, DIAGNOSTICS) as listener:
        started(processes, listener, folder)
        listener.until(lambda: len(listener.heard[IMAGE.name]) > 5)  # the camera is a process of its own, and later
        written = int(listener.diagnosed("recorder")["messages written"])
        listener.listen(1.0)  # longer than a chunk lasts
        processes.stop("recorder", signal.SIGKILL)
        counts = read(folder)
        assert sum(counts.values()) >= written
        assert {"/joint_states", "/camera/image_raw", "/camera/camera_info", "/agent/goal", "/diagnostics"} <= set(
            counts
        )
        heard = len(listener.heard[JOINT_STATES.name])
        listener.until(lambda: len(listener.heard[JOINT_STATES.name]) > heard + 20)


def test_a_full_disk_is_named_the_graph_lives_on_and_so_does_the_recording_when_there_is_space(tmp_path: Path):
    folder = tmp_path / "recordings"
    with Processes(tmp_path) as processes, ears(JOINT_STATES, DIAGNOSTICS) as listener:
        started(processes, listener, folder)
        allow(listener, 1e12)
        listener.until(lambda: listener.diagnosed("recorder")["message"] == "disk_full")
        assert "MB left, expected 1e+12" in listener.diagnosed("recorder")["detail"]
        before = read(folder)
        heard = len(listener.heard[JOINT_STATES.name])
        listener.until(lambda: len(listener.heard[JOINT_STATES.name]) > heard + 20)
        listener.until(lambda: int(listener.diagnosed("recorder")["messages dropped"]) > 20)
        allow(listener, 0.0)
        written = int(listener.diagnosed("recorder")["messages written"])
        listener.until(lambda: int(listener.diagnosed("recorder")["messages written"]) > written + 50)
        assert listener.diagnosed("recorder")["message"] == "recording"
        assert processes.stop("recorder") == 0
        after = read(folder)
        assert after["/joint_states"] > before["/joint_states"]
        assert len(list(folder.iterdir())) == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", disk], capture_output=True).returncode:
        pytest.skip("no right to mount a small disk here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_disk_that_really_is_full_costs_recordings_and_nothing_else(tmp_path: Path, small_disk: Path):
    with Processes(tmp_path) as processes, ears(JOINT_STATES, DIAGNOSTICS) as listener:
        started(processes, listener, small_disk, compression="none")
        listener.until(lambda: listener.diagnosed("recorder")["message"] == "disk_full")
        assert "No space left" in listener.diagnosed("recorder")["detail"]
        assert read(small_disk)["/joint_states"] > 10
        for recording in small_disk.iterdir():
            for file in recording.glob("*.mcap"):
                file.unlink()
        written = int(listener.diagnosed("recorder")["messages written"])
        listener.until(lambda: int(listener.diagnosed("recorder")["messages written"]) > written + 20)
        assert processes.stop("recorder") == 0
