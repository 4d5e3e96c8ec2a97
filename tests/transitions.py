"""Made-up experience whose every number tells where it belongs."""

from __future__ import annotations

import numpy as np

from robot_agent.types import BodySpec, Transition

SPEC = BodySpec(cameras=(("main", (4, 4)),), proprio_dim=2, action_dim=1, goal_dim=2)


def observation(episode: int, step: int) -> dict[str, np.ndarray]:
    """Proprio is (episode, step); the camera's pixels are the step."""
    return {
        "camera/main": np.full((4, 4, 3), step % 256, np.uint8),
        "proprio": np.array([episode, step], np.float32),
        "achieved_goal": np.array([episode, step], np.float32),
        "desired_goal": np.array([episode, 1000], np.float32),
    }


def episode(number: int, length: int, ended: bool = True, terminated: bool = False) -> list[Transition]:
    """The transitions of an episode; action and reward are the step's number."""
    return [
        Transition(
            observation=observation(number, step),
            action=np.array([step], np.float32),
            reward=float(step),
            terminated=terminated and step == length - 1,
            truncated=ended and not terminated and step == length - 1,
            episode=number,
            step=step,
            final_observation=observation(number, length) if ended and step == length - 1 else None,
        )
        for step in range(length)
    ]
