"""What the gate says aloud: each change once, and a flood in one line."""

from __future__ import annotations

import pytest
from robot_agent_bodies.gate.gate import Refusal, Status
from robot_agent_ros.gate.news import REFUSALS, STATUSES
from robot_agent_ros.news import News

Lines = list[tuple[str, bool]]


@pytest.fixture
def lines() -> Lines:
    return []


@pytest.fixture
def news(lines: Lines) -> News:
    return News(lambda sentence, is_trouble: lines.append((sentence, is_trouble)))


def test_a_change_is_said_once(news: News, lines: Lines):
    for tenth in range(100):
        news.state("status", "holding", f"holding at {tenth}", False, tenth / 10)
    news.state("status", "stopped", "stopped", True, 10.0)
    assert lines == [("holding at 0", False), ("stopped", True)]


def test_a_change_that_comes_soon_is_said_later_if_it_lasts(news: News, lines: Lines):
    for tenth in range(100):
        what = "following" if 5 <= tenth < 8 else "holding" if tenth < 30 else "stopped"
        news.state("status", what, what, False, tenth / 10)
    assert [line for line, _ in lines] == ["holding", "stopped"]


def test_trouble_that_is_over_is_forgotten_in_silence_and_said_again_when_it_is_back(news: News, lines: Lines):
    for second, complaint in enumerate(["", "", "nobody", "nobody", "", "", "", "nobody"]):
        news.state("listeners", complaint, complaint, True, 10.0 * second)
    assert lines == [("nobody", True)] * 2


def test_a_flood_is_said_at_once_and_then_every_half_minute_with_its_number(news: News, lines: Lines):
    for tenth in range(650):
        news.event("refused", "commands are refused", tenth / 10)
    assert [line for line, _ in lines] == [
        "commands are refused",
        "commands are refused (299 more since that was said last)",
        "commands are refused (299 more since that was said last)",
    ]


def test_every_refusal_is_explained_or_is_a_status():
    statuses = {status.value for status in Status}
    assert {refusal for refusal in Refusal if refusal.value not in statuses} <= set(REFUSALS)
    assert {Status.SEVERAL_SOURCES, Status.WRONG_CONTROLLER} == set(Status) - set(STATUSES)  # a bar has a sentence
