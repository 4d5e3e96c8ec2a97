"""Which of a world's wrappers, or the world itself, has an attribute."""

from __future__ import annotations

from typing import Any

import gymnasium


def layer_with(env: gymnasium.Env[Any, Any], attribute: str) -> Any | None:
    """The outermost layer of a world that has an attribute of its own, None if none has."""
    layer: Any = env
    while not hasattr(layer, attribute):
        if not isinstance(layer, gymnasium.Wrapper):
            return None
        layer = layer.env
    return layer
