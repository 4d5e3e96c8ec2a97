"""Errors that a person can act on: one sentence that says what was wrong, what was expected and what to do."""

from __future__ import annotations


class RobotAgentError(Exception):
    """Base of every error that the command line prints as one line with exit status 2."""


class ReplayError(RobotAgentError):
    """The replay on disk cannot be read or written."""


class CheckpointError(RobotAgentError):
    """No usable checkpoint, or one that does not fit this body or this version."""


class BodyError(RobotAgentError):
    """There is no such world, or its spaces are not what the agent can live in."""


class RunError(RobotAgentError):
    """A run folder is missing, already in use, or incomplete."""
