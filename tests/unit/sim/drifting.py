"""What tests of worlds that change share: worlds without cameras, all numbers of a model, and a life as it was told."""

from __future__ import annotations

from typing import Any

import gymnasium
import mujoco
import numpy as np

BLIND = {"streams": ("proprio",)}


def everything(model: mujoco.MjModel) -> dict[str, np.ndarray]:
    """All numbers of a model, by name."""
    found = {}
    parts = {"": model, "opt.": model.opt, "stat.": model.stat}
    groups = ("global_", "headlight", "map", "quality", "rgba", "scale")
    for prefix, part in {**parts, **{f"vis.{name}.": getattr(model.vis, name) for name in groups}}.items():
        for name in dir(part):
            value = getattr(part, name)
            if not name.startswith("_") and isinstance(value, np.ndarray | int | float):
                found[prefix + name] = np.array(value)
    return found


def lived(env: gymnasium.Env[Any, Any], actions: np.ndarray, seed: int | None = 0) -> list[dict[str, Any]]:
    """Observations from the reset on; `info` among them."""
    observation, info = env.reset(seed=seed)
    told = [{**observation, "info": info}]
    for action in actions:
        observation, _, _, _, info = env.step(action)
        told.append({**observation, "info": info})
    return told
