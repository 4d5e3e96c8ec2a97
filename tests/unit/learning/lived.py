"""Replay that a learner can learn from, without a life."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np

from robot_agent.replay.replay import ReplayWriter
from robot_agent.types import BodySpec, Transition

SPEC = BodySpec((), 4, 2)


def live(run: Path, lengths: list[int], spec: BodySpec = SPEC, reward: float = 1.0) -> None:
    """Appends episodes of these lengths, with random numbers, to `run/replay`."""
    rng = np.random.default_rng(0)

    def observation() -> dict[str, np.ndarray]:
        goals = {name: rng.normal(size=spec.goal_dim).astype(np.float32) for name in ("achieved_goal", "desired_goal")}
        return {"proprio": rng.normal(size=4).astype(np.float32)} | (goals if spec.goal_dim else {})

    writer = ReplayWriter(run / "replay", spec)
    for episode, length in enumerate(lengths):
        for step in range(length):
            last = step == length - 1
            writer.append(
                Transition(
                    observation=observation(),
                    action=rng.uniform(-1, 1, 2).astype(np.float32),
                    reward=reward,
                    terminated=False,
                    truncated=last,
                    episode=episode,
                    step=step,
                    final_observation=observation() if last else None,
                )
            )
    writer.close()


def live_in(run: Path, body: gymnasium.Env, steps: int, first_episode: int = 0) -> None:
    """Appends whole episodes of random actions to `run/replay`, at least so many steps."""
    rng = np.random.default_rng(first_episode)
    spec = BodySpec.from_env(body)
    writer = ReplayWriter(run / "replay", spec)
    episode = first_episode
    while steps > 0:
        observation, _ = body.reset(seed=episode)
        for step in range(10**6):
            action = rng.uniform(-1, 1, spec.action_dim).astype(np.float32)
            before = observation
            observation, reward, terminated, truncated, _ = body.step(action)
            over = terminated or truncated
            steps -= 1
            writer.append(
                Transition(
                    observation=before,
                    action=action,
                    reward=float(reward),
                    terminated=terminated,
                    truncated=truncated,
                    episode=episode,
                    step=step,
                    final_observation=observation if over else None,
                    dt=spec.control_dt,
                )
            )
            if over:
                break
        episode += 1
    writer.close()
