"""What `robot-agent ros up` asks a person."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from robot_agent.cli.ros import ask_on_terminal


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What a person would type is written here."""
    reads, writes = os.pipe()
    with os.fdopen(reads) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writes
    os.close(writes)


@pytest.mark.parametrize(
    ("typed", "moves"), [("yes\n", True), ("Y\n", True), ("\n", False), ("no\n", False), ("?\n", False)]
)
def test_only_yes_lets_the_robot_move(keyboard: int, typed: str, moves: bool):
    os.write(keyboard, typed.encode())
    assert ask_on_terminal(lambda: True) is moves


def test_what_ends_meanwhile_is_an_answer(keyboard: int):
    left = iter([True, True, False])
    assert ask_on_terminal(lambda: next(left)) is False
