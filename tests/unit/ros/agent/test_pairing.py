"""What the agent may act on, message by message, without ROS."""

from __future__ import annotations

import numpy as np
import pytest
from robot_agent_ros.agent.pairing import ClockWatch, Feed, Readings, Refused, Sample, together

AGE, FUTURE = 0.1, 0.02


def unreadable() -> str:
    raise Refused("camera_size", "it is 1x1, expected 2x2")


def refusal(call) -> str:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.name


def test_a_fresh_message_is_acted_on_until_it_is_too_old():
    feed: Feed[str] = Feed("camera")
    assert refusal(lambda: feed.fresh(10.0, AGE)) == "camera_missing"
    assert feed.offer(10.0, 10.01, lambda: "frame", AGE, FUTURE)
    assert feed.fresh(10.1, AGE).what == "frame"
    assert refusal(lambda: feed.fresh(10.11, AGE)) == "camera_stopped"


@pytest.mark.parametrize(
    ("stamp", "name"),
    [
        (9.89, "camera_from_the_past"),
        (0.0, "camera_from_the_past"),
        (10.021, "camera_from_the_future"),
        (1e9, "camera_from_the_future"),
        (9.95, "camera_out_of_order"),
        (9.96, "camera_out_of_order"),
    ],
)
def test_a_stamp_of_another_time_is_refused_by_name_and_the_last_good_one_stands(stamp: float, name: str):
    feed: Feed[str] = Feed("camera")
    feed.offer(9.96, 9.97, lambda: "good", AGE, FUTURE)
    assert not feed.offer(stamp, 10.0, lambda: "bad", AGE, FUTURE)
    assert feed.refused == {name: 1}
    assert feed.fresh(10.0, AGE).what == "good"
    assert refusal(lambda: feed.fresh(10.2, AGE)) == name


def test_what_cannot_be_read_keeps_its_name_until_something_can():
    feed: Feed[str] = Feed("camera")
    assert not feed.offer(10.0, 10.0, unreadable, AGE, FUTURE)
    assert refusal(lambda: feed.fresh(10.0, AGE)) == "camera_size"
    assert feed.offer(10.01, 10.01, lambda: "good", AGE, FUTURE)
    assert feed.fault == ""
    assert refusal(lambda: feed.fresh(11.0, AGE)) == "camera_stopped"


def test_after_a_jump_of_the_clock_only_what_comes_then_counts():
    feed: Feed[str] = Feed("camera")
    feed.offer(10.0, 10.0, lambda: "before", AGE, FUTURE)
    feed.forget()
    assert refusal(lambda: feed.fresh(10.0, AGE)) == "camera_missing"
    assert feed.offer(3.0, 3.0, lambda: "after", AGE, FUTURE)
    assert feed.fresh(3.05, AGE).what == "after"


def test_samples_of_two_moments_are_not_one_observation():
    together(Sample(1.0, "a"), Sample(1.05, "b"), 0.05 + 1e-9)
    assert refusal(lambda: together(Sample(1.1, "a"), Sample(1.0, "b"), 0.05)) == "camera_and_joints_apart"


def test_velocity_is_the_change_since_the_reading_of_a_control_frame_earlier():
    readings = Readings(frame=0.02)
    for stamp in np.arange(0.0, 0.2, 0.005):  # at 200 Hz, of joints that speed up
        readings.add(stamp, np.array([stamp**2, -stamp]))
    now = Sample(0.195, np.array([0.195**2, -0.195]))
    assert readings.velocity(now) == pytest.approx([0.195 + 0.175, -1.0])


def test_readings_that_are_rare_are_used_as_far_as_they_go_and_none_means_rest():
    readings = Readings(frame=0.02)
    assert readings.velocity(Sample(1.0, np.ones(2))) == pytest.approx([0, 0])
    readings.add(0.4, np.full(2, 0.7))
    assert readings.velocity(Sample(1.0, np.ones(2))) == pytest.approx([0, 0])
    readings.add(0.9, np.zeros(2))
    assert readings.velocity(Sample(1.0, np.ones(2))) == pytest.approx([10, 10])
    readings.add(0.95, np.full(2, 0.5))
    readings.add(1.02, np.full(2, 9.0))  # later than what is acted on
    assert readings.velocity(Sample(1.0, np.ones(2))) == pytest.approx([10, 10])
    readings.forget()
    assert readings.velocity(Sample(1.0, np.ones(2))) == pytest.approx([0, 0])


def test_a_clock_that_keeps_pace_does_not_jump_and_one_that_is_set_does():
    watch = ClockWatch()
    assert not watch.jumped(100.0, 5.0)
    assert not watch.jumped(100.5, 5.52)
    assert watch.jumped(100.4, 5.55)
    assert not watch.jumped(100.43, 5.58)
    assert watch.jumped(200.0, 5.6)


def test_a_simulated_clock_may_stand_still_or_run_fast_and_jumps_only_backwards():
    watch = ClockWatch(simulated=True)
    for ros, steady in ((1.0, 1.0), (1.0, 2.0), (60.0, 2.1)):
        assert not watch.jumped(ros, steady)
    assert watch.jumped(59.9, 2.2)
