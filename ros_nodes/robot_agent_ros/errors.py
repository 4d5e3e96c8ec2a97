"""Errors that a person can act on. The gate imports nothing of the agent, so this package has its own."""

from __future__ import annotations


class NodeError(Exception):
    """Base of every error that an executable of this package prints as one line with exit status 2."""


class ParameterError(NodeError):
    """A parameter has a value that the node cannot work with."""
