"""Pauses before what has ended is started again."""

from __future__ import annotations

from robot_agent_ros.backoff import GOOD_LIFE, LONGEST_PAUSE, Backoff


def test_pauses_double_up_to_the_longest_and_begin_anew_after_a_good_life():
    backoff = Backoff(4.0)
    assert [backoff.pause() for _ in range(5)] == [4.0, 8.0, 16.0, LONGEST_PAUSE, LONGEST_PAUSE]
    backoff.lived(GOOD_LIFE - 1)
    assert backoff.pause() == LONGEST_PAUSE
    backoff.lived(GOOD_LIFE + 1)
    assert backoff.pause() == 4.0
