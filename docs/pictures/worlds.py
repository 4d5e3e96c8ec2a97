"""Draws the pictures of `docs/worlds.md`: each world that is made here, after 30 random steps
(where there are two agents, one of them follows its script).

python docs/pictures/worlds.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import robot_agent_sim
from matplotlib.image import imsave
from robot_agent_sim.worlds import OWN_WORLDS, SHARED_WORLDS

STEPS = 30
SEED = 0
FOLDER = Path(__file__).parent


def picture(world: str) -> np.ndarray:
    """uint8 (240, 320, 3)."""
    env = robot_agent_sim.make(world)
    env.reset(seed=SEED)
    env.action_space.seed(SEED)
    for _ in range(STEPS):
        env.step(env.action_space.sample())
    frame = np.asarray(env.render(), np.uint8)
    env.close()
    return frame


def main() -> None:
    """Writes `worlds_<name>.png` beside this file."""
    for world in (*OWN_WORLDS, *SHARED_WORLDS):
        path = FOLDER / f"worlds_{world.replace('/', '_')}.png"
        imsave(path, picture(world), metadata={"Software": None}, pil_kwargs={"optimize": True})
        print(path)


if __name__ == "__main__":
    main()
