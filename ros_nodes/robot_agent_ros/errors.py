"""Errors that an executable of this package prints as one line, with exit status 2."""

from robot_agent_bodies.errors import BodyError as NodeError
from robot_agent_bodies.errors import ParameterError

__all__ = ["NodeError", "ParameterError"]
