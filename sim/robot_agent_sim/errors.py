"""What a world may fail with."""

from __future__ import annotations


class WorldError(ValueError):
    """A world of someone else failed or returned what cannot be used; one sentence says what to mend."""
