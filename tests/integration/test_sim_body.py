"""The simulated body as a process over real DDS: a robot to everyone who listens."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from robot_agent_ros.graph import (
    CAMERA_INFO,
    CLOCK,
    DIAGNOSTICS,
    GOAL,
    IMAGE,
    JOINT_STATES,
    POSITIONS,
    RESET_SIM,
    REWARD,
    SIM_BODY,
    TWIST,
)
from robot_agent_ros.messages.images import to_rgb
from robot_agent_ros.messages.joints import read_joints
from robot_agent_ros.messages.stamps import to_nanoseconds
from robot_agent_sim.servo_arm.reach import HOME, JOINTS

from tests.ros_ears import Ears, ears
from tests.ros_graph import Processes

SMALL = {"image_width": 64, "image_height": 48}


def stamps(listener: Ears, name: str) -> np.ndarray:
    return np.array([to_nanoseconds(message.header.stamp) for message in listener.heard[name]])


def children(process: int) -> list[str]:
    """Whatever thread of it started them."""
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        with suppress(OSError):  # a thread that has just ended
            found += (task / "children").read_text().split()
    return found


def test_in_real_time_it_says_what_a_robot_would_and_obeys(tmp_path: Path):
    topics = (JOINT_STATES, IMAGE, CAMERA_INFO, GOAL, REWARD, DIAGNOSTICS)
    with Processes(tmp_path) as processes, ears(*topics) as listener:
        processes.start_node(SIM_BODY, {"joint_delay": 0.02})
        listener.until(lambda: len(listener.heard[IMAGE.name]) > 5 and bool(listener.diagnosed("sim_body")))
        heard = listener.heard
        wanted = HOME + np.array([0.3, -0.2, 0.2])
        garbage = ([], [float("nan")] * 3, [float("inf")] * 3, [1.0] * 9)

        def repeated(values: list[float], done: Callable[[], bool]) -> None:
            """As a controller's commands are: again and again."""
            listener.until(lambda: done() or listener.say(POSITIONS, listener.message(POSITIONS, data=values)))

        for number, values in enumerate(garbage):
            repeated(values, lambda least=number: int(listener.diagnosed("sim_body")["commands refused"]) > least)
        assert "expected" in listener.diagnosed("sim_body")["last refusal"]
        position = lambda: read_joints(heard[JOINT_STATES.name][-1], JOINTS).position  # noqa: E731
        np.testing.assert_allclose(position(), HOME, atol=0.1)
        repeated(wanted.tolist(), lambda: np.allclose(position(), wanted, atol=0.06))

        now = listener.node.get_clock().now().nanoseconds
        for name in (JOINT_STATES.name, IMAGE.name):
            assert np.all(np.diff(stamps(listener, name)) > 0)
            assert 0 < now - stamps(listener, name)[-1] < 10e9
        # On a busy machine states are lost on their way; they are never closer than their period.
        assert np.median(np.diff(stamps(listener, JOINT_STATES.name))) >= 4.5e6
        state = heard[JOINT_STATES.name][-1]
        assert len(state.velocity) == len(state.effort) == 3
        image, info = heard[IMAGE.name][-1], heard[CAMERA_INFO.name][-1]
        assert (image.encoding, to_rgb(image).shape) == ("rgb8", (480, 640, 3))
        assert to_rgb(image).std() > 10
        assert (info.width, info.height, info.header.frame_id) == (640, 480, image.header.frame_id)
        assert set(stamps(listener, IMAGE.name)) & set(stamps(listener, CAMERA_INFO.name))
        listener.until(lambda: len(heard[GOAL.name]) > 1 and len(heard[REWARD.name]) > 3)
        assert len(heard[GOAL.name][0].data) == 3
        assert 0 <= heard[REWARD.name][-1].data <= 1

        assert processes.stop("sim_body") == 0
        assert "Traceback" not in processes.log("sim_body")


def test_a_reset_puts_the_body_where_an_episode_begins(tmp_path: Path):
    with Processes(tmp_path) as processes, ears(JOINT_STATES, DIAGNOSTICS) as listener:
        processes.start_node(SIM_BODY, {"camera_rate": 0.0})

        def position() -> np.ndarray:
            return read_joints(listener.heard[JOINT_STATES.name][-1], JOINTS).position

        listener.until(lambda: bool(listener.heard[JOINT_STATES.name]) and bool(listener.diagnosed("sim_body")))
        wanted = HOME + np.array([0.3, -0.2, 0.2])
        listener.say(POSITIONS, listener.message(POSITIONS, data=wanted.tolist()))
        listener.until(lambda: np.allclose(position(), wanted, atol=0.06), 20.0)
        assert listener.call(RESET_SIM).success
        listener.until(lambda: np.allclose(position(), HOME, atol=0.15), 10.0)
        assert "Traceback" not in processes.log("sim_body")


def test_a_simulated_clock_goes_on_evenly_and_no_frame_is_missed_but_those_that_are_lost(tmp_path: Path):
    with Processes(tmp_path) as processes, ears(JOINT_STATES, IMAGE, CLOCK, DIAGNOSTICS) as listener:
        loss = {"camera_loss": 0.25, "joint_loss": 0.1, "camera_noise": 4.0}
        processes.start_node(SIM_BODY, {"clock": True, "speed": 5.0, "seed": 3, **SMALL, **loss})
        enough = {CLOCK.name: 600, DIAGNOSTICS.name: 2, IMAGE.name: 20}  # the camera's process is found later
        listener.until(lambda: all(len(listener.heard[name]) > count for name, count in enough.items()))
        for times in (
            stamps(listener, JOINT_STATES.name),
            np.array([to_nanoseconds(message.clock) for message in listener.heard[CLOCK.name]]),
        ):
            assert np.all(np.diff(times) > 0)
            assert set(np.diff(times) % 5_000_000) == {0}
        frames = np.diff(stamps(listener, IMAGE.name))
        assert frames.min() >= 30e6
        said = listener.diagnosed("sim_body")
        assert int(said["frames missed"]) == 0
        published, lost = int(said["frames published"]), int(said["frames lost"])
        assert 0.05 < lost / (lost + published) < 0.5


def test_a_rover_drives_in_a_namespace_of_its_own(tmp_path: Path):
    with Processes(tmp_path) as processes, ears() as listener:
        remap = {"__ns": "/left"}
        processes.start_node(SIM_BODY, {"world": "rover/goal", "clock": True, **SMALL}, remap)
        states: list = []
        pictures: list = []
        node = listener.node
        for topic, heard in ((JOINT_STATES, states), (IMAGE, pictures)):
            message = type(listener.message(topic))
            node.create_subscription(message, f"/left/{topic.name}", heard.append, _best_effort())
        speaker = node.create_publisher(type(listener.message(TWIST)), f"/left/{TWIST.name}", 1)
        twist = listener.message(TWIST)
        twist.twist.linear.x = 0.2
        listener.until(lambda: len(pictures) > 2 and len(states) > 2)

        def fast() -> bool:
            speaker.publish(twist)
            return min(states[-1].velocity) > 4

        listener.until(fast)
        assert list(states[-1].name) == ["left_wheel", "right_wheel"]
        listener.until(lambda: max(states[-1].velocity) < 0.2)  # nobody commands any more


def _best_effort():
    from rclpy.qos import qos_profile_sensor_data

    return qos_profile_sensor_data


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"world": "servo-arm/reech"}, "did you mean servo-arm/reach"),
        ({"joint_rate": -1.0}, "joint_rate is -1 Hz, expected 10 to 1000 Hz"),
        ({"speed": 3.0}, "speed is 3 without clock"),
    ],
)
def test_bad_parameters_end_it_with_one_sentence(tmp_path: Path, parameters: dict, sentence: str):
    with Processes(tmp_path) as processes:
        assert processes.start_node(SIM_BODY, parameters).wait(60) == 2
        log = processes.log("sim_body")
        assert sentence in log
        assert "Traceback" not in log


def test_the_camera_ends_with_the_body_even_when_that_is_killed(tmp_path: Path):
    with Processes(tmp_path) as processes, ears(IMAGE) as listener:
        body = processes.start_node(SIM_BODY, SMALL)
        listener.until(lambda: bool(listener.heard[IMAGE.name]))
        (camera,) = children(body.pid)
        body.kill()
        body.wait()
        listener.until(lambda: not Path(f"/proc/{camera}/exe").exists(), 10.0)


@pytest.mark.parametrize("clock", [False, True])
def test_a_camera_that_crashes_is_told_and_starts_again(tmp_path: Path, clock: bool):
    with Processes(tmp_path) as processes, ears(IMAGE, JOINT_STATES, DIAGNOSTICS) as listener:
        body = processes.start_node(SIM_BODY, {**SMALL, "clock": clock})
        listener.until(lambda: len(listener.heard[IMAGE.name]) > 3 and bool(listener.diagnosed("sim_body")))
        (camera,) = children(body.pid)
        os.kill(int(camera), signal.SIGSEGV)
        listener.until(lambda: "status -11 and starts again" in listener.diagnosed("sim_body")["message"])
        before = len(listener.heard[IMAGE.name]), len(listener.heard[JOINT_STATES.name])
        listener.until(lambda: len(listener.heard[IMAGE.name]) > before[0] + 3)
        assert len(listener.heard[JOINT_STATES.name]) > before[1] + 10
        assert np.all(np.diff(stamps(listener, IMAGE.name)) > 0)
        listener.until(lambda: listener.diagnosed("sim_body")["camera restarts"] == "1")
        listener.until(lambda: listener.diagnosed("sim_body")["message"] == "alive")
        (second,) = children(body.pid)
        assert second != camera
        assert processes.stop("sim_body") == 0
