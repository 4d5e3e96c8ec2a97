"""Whose commands count."""

from __future__ import annotations

from itertools import count

from robot_agent_bodies.gate.ownership import MOST_RIVALS, Ownership


def both_send(ownership: Ownership, until: float) -> None:
    for step in range(round(until / 0.1)):
        assert ownership.admits(b"first", 0.1 * step)
        assert not ownership.admits(b"second", 0.1 * step + 0.05)


def test_a_second_publisher_does_not_take_over_when_the_first_ends():
    ownership = Ownership(1.0)
    both_send(ownership, 3.0)
    assert not any(ownership.admits(b"second", 3.0 + 0.1 * step) for step in range(1000))
    assert ownership.owner == b"first"


def test_the_first_goes_on_after_a_pause_beside_a_rival():
    ownership = Ownership(1.0)
    both_send(ownership, 3.0)
    assert not ownership.admits(b"second", 10.0)
    assert ownership.admits(b"first", 20.0)


def test_an_agent_that_starts_again_is_obeyed_once_the_one_before_is_silent():
    ownership = Ownership(1.0)
    assert ownership.admits(b"before", 0.0)
    assert not ownership.admits(b"again", 0.3)
    assert not ownership.admits(b"again", 0.9)
    assert ownership.admits(b"again", 1.1)


def test_a_release_lets_the_other_one_take_over_and_not_the_one_that_had_it():
    ownership = Ownership(1.0)
    both_send(ownership, 3.0)
    ownership.release()
    assert ownership.owner is None
    assert not ownership.admits(b"first", 3.0)
    assert ownership.admits(b"second", 3.05)
    assert not ownership.admits(b"first", 60.0)


def test_nobody_knows_a_publisher_without_an_id():
    assert not Ownership(1.0).admits(None, 0.0)


def test_a_flood_of_publishers_takes_no_memory():
    ownership, number = Ownership(1.0), count()
    assert ownership.admits(b"first", 0.0)
    for step in range(3):
        for _ in range(MOST_RIVALS):
            assert not ownership.admits(str(next(number)).encode(), 0.1 * step)
        assert ownership.admits(b"first", 0.1 * step)
    assert len(ownership._rivals) <= MOST_RIVALS
