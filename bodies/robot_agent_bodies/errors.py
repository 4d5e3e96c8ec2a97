"""Errors that a person can act on. The gate imports nothing of the agent, so this package has its own."""

from __future__ import annotations


class BodyError(Exception):
    """Base of every error of a body that a person sees as one line, with exit status 2."""


class ParameterError(BodyError):
    """A parameter has a value that cannot be worked with."""
