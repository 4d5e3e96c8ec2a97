"""An embodied agent that never stops learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robot_agent.agent import Agent, AgentConfig, AgentState
    from robot_agent.run.config import RunConfig
    from robot_agent.run.life import Life
    from robot_agent.types import BodySpec

__all__ = ["Agent", "AgentConfig", "AgentState", "BodySpec", "Life", "RunConfig"]

_HOMES = {
    "Agent": "robot_agent.agent",
    "AgentConfig": "robot_agent.agent",
    "AgentState": "robot_agent.agent",
    "BodySpec": "robot_agent.types",
    "Life": "robot_agent.run.life",
    "RunConfig": "robot_agent.run.config",
}


def __getattr__(name: str) -> Any:
    """Imports on first use: `robot-agent --help` must not wait for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'robot_agent' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
