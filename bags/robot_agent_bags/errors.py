"""The one error about recordings."""

from __future__ import annotations


class BagError(ValueError):
    """A recording cannot be read; the sentence says what it holds, what was expected and what to do."""
