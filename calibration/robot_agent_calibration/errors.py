"""Errors that a person can act on: one sentence that says what was wrong, what was expected and what to do."""

from __future__ import annotations


class CalibrationError(ValueError):
    """A recording cannot be read, or does not determine what was asked for."""
