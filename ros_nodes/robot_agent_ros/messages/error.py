"""The one error about what a message holds."""

from __future__ import annotations


class MessageError(ValueError):
    """A message cannot be used; the sentence says what it holds, what was expected and what to do."""
