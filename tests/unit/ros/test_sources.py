"""Two publishers of one joint are rivals; publishers that share a robot's joints are not."""

from __future__ import annotations

from robot_agent_ros.sources import Sources


def test_the_first_publisher_of_a_joint_is_believed_and_the_second_is_its_rival():
    sources = Sources(silence=1.0)
    assert sources.believes(b"robot", ["a", "b"], 0.0)
    assert sources.rivals(0.0) == ()
    assert not sources.believes(b"other", ["b"], 0.1)
    assert sources.rivals(0.1) == (b"robot", b"other")
    assert sources.believes(b"robot", ["a", "b"], 0.2)


def test_publishers_of_different_joints_are_no_rivals():
    sources = Sources(silence=1.0)
    assert sources.believes(b"arm", ["a", "b"], 0.0)
    assert sources.believes(b"gripper", ["c"], 0.0)
    assert sources.rivals(0.0) == ()


def test_the_one_that_is_left_is_believed_when_the_other_has_been_silent():
    sources = Sources(silence=1.0)
    sources.believes(b"robot", ["a"], 0.0)
    for tenth in range(1, 11):
        assert not sources.believes(b"other", ["a"], tenth / 10)
    assert sources.rivals(1.0) == (b"robot", b"other")
    assert sources.rivals(1.05) == ()
    assert sources.believes(b"other", ["a"], 1.1)
    assert not sources.believes(b"robot", ["a"], 1.2)  # it comes back, and is now the second
