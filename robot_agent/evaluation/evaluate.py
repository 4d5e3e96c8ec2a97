"""Evaluation: the same loop, in episodes of its own, with learning off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray

from robot_agent.agent import Agent, AgentState
from robot_agent.drivers.driver import Driver, EpisodeSummary, Listener
from robot_agent.evaluation.model_quality import encode_episode, observations_of, retrieval_distance, states_after
from robot_agent.loop import Loop
from robot_agent.types import Transition

EVALUATION_SEED = 1_000_003
"""Added to the run's seed, so that no evaluation episode begins as one of the life did."""

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Imagination:
    """What the planner imagined for one stretch of an episode, against what happened.

    There is no pixel decoder: an imagined latent is shown as the real frame whose latent is nearest.

    Attributes:
        frames_real: uint8 `(steps, height, width, 3)`.
        frames_imagined: same shape.
        reward_real: `(steps,)`.
        reward_imagined: `(steps,)`.
        latent_error: `(steps,)` squared distance between imagined and encoded latent.
    """

    frames_real: Frames
    frames_imagined: Frames
    reward_real: NDArray[np.float32]
    reward_imagined: NDArray[np.float32]
    latent_error: NDArray[np.float32]


@dataclass(frozen=True)
class Evaluation:
    """What some episodes came to.

    Attributes:
        returns: one an episode.
        successes: whether the task was done when each episode ended; empty where the body does not say.
        video: rendered frames of the first episode, empty if the body cannot be rendered.
        imagination: from the first episode, None if it cannot be rendered.
        retrieval: see `retrieval_distance`; empty where the simulator tells no state.
        transitions: decisions that were lived.
        decision_ms: time of each.
    """

    returns: list[float]
    successes: list[bool]
    video: Frames
    imagination: Imagination | None
    retrieval: dict[str, float]
    transitions: int
    decision_ms: list[float]


class _Recorder(Listener):
    """Keeps the first episode's frames and all episodes' returns and states."""

    def __init__(self, body: gymnasium.Env, render: bool, on_episode: Callable[[int], None] | None) -> None:
        self.body = body
        self.render = render and body.render_mode == "rgb_array"
        self.report = on_episode
        self.frames: list[Frames] = []
        self.summaries: list[EpisodeSummary] = []

    def on_step(self, transition: Transition, state: AgentState) -> None:
        if self.render and not self.summaries:
            self.frames.append(np.asarray(self.body.render(), np.uint8))

    def on_episode(self, summary: EpisodeSummary) -> None:
        self.summaries.append(summary)
        if self.report:
            self.report(len(self.summaries))


def evaluate(
    agent: Agent,
    body: gymnasium.Env,
    episodes: int,
    seed: int = 0,
    render: bool = True,
    measure_latent: bool = True,
    on_episode: Callable[[int], None] | None = None,
) -> Evaluation:
    """Lives `episodes` episodes and measures them.

    Args:
        agent: it acts.
        body: the world; rendered if its `render_mode` is `rgb_array`.
        episodes: how many.
        seed: the run's seed; the episodes' seeds are derived from it and differ from those of the life.
        render: record a video and the imagination strip of the first episode.
        measure_latent: compare the latent's neighbours with the simulator's true state, where it tells it.
        on_episode: called with the number of episodes done.
    """
    recorder = _Recorder(body, render, on_episode)
    driver = Driver(
        Loop(agent, explore=False),
        {"agent": body},
        [recorder],
        seed=EVALUATION_SEED + seed,
        keep_transitions=True,
    )
    driver.run(lambda life: life.episodes >= episodes)
    summaries = recorder.summaries
    return Evaluation(
        returns=[summary.episode_return for summary in summaries],
        successes=[summary.success for summary in summaries if summary.success is not None],
        video=np.stack(recorder.frames) if recorder.frames else np.zeros((0, 2, 2, 3), np.uint8),
        imagination=_imagine(agent, summaries[0].transitions, recorder.frames) if recorder.frames else None,
        retrieval=_retrieval(agent, summaries) if measure_latent else {},
        transitions=driver.decisions,
        decision_ms=[ms for summary in summaries for ms in summary.decision_ms],
    )


def _retrieval(agent: Agent, summaries: Sequence[EpisodeSummary], largest: int = 2000) -> dict[str, float]:
    kept: list[torch.Tensor] = []
    states: list[NDArray[np.float64]] = []
    for summary in summaries:
        after = states_after(summary.transitions)
        if after is None or len(after) < 20 or sum(map(len, states)) > largest:
            continue
        kept.append(encode_episode(agent.mind, observations_of(summary.transitions))[1:])
        states.append(after)
    return retrieval_distance(torch.cat(kept), np.concatenate(states)) if kept else {}


@torch.no_grad()
def _imagine(agent: Agent, episode: Sequence[Transition], frames: Sequence[Frames], steps: int = 12) -> Imagination:
    """Rolls the world model open-loop along the actions of a stretch in the middle of the episode."""
    mind = agent.mind
    latents = encode_episode(mind, observations_of(episode))
    start = max(0, min(len(episode) // 4, len(episode) - steps - 1))
    steps = min(steps, len(episode) - start)
    latent = latents[start : start + 1]
    context = latent.new_zeros(1, mind.config.world_model.context_dim)
    goal_dim = mind.spec.goal_dim
    goal_row = np.zeros((1, goal_dim), np.float32)
    if goal_dim:
        goal_row[0] = episode[start].observation["desired_goal"]
    goal = mind.goal_encoder(torch.from_numpy(goal_row).to(latent.device))
    imagined, rewards = [], []
    for step in episode[start : start + steps]:
        action = torch.from_numpy(np.asarray(step.action, np.float32)).to(latent.device).unsqueeze(0)
        reward = mind.reward.mean(mind.reward(latent, action, goal))
        rewards.append(float(mind.reward_scale.reward_in_world(reward)[0, 0]))
        latent = mind.world_model.heads(latent, action, context).mean(0)
        imagined.append(latent[0])
    predicted = torch.stack(imagined)
    after = latents[1 : len(frames) + 1]  # frame t was rendered after action t
    nearest = torch.cdist(predicted, after).argmin(1).cpu().numpy()
    small = [frame[:: max(1, frame.shape[0] // 120), :: max(1, frame.shape[0] // 120)] for frame in frames]
    happened = latents[start + 1 : start + 1 + len(predicted)]
    return Imagination(
        frames_real=np.stack([small[start + step] for step in range(steps)]),
        frames_imagined=np.stack([small[index] for index in nearest]),
        reward_real=np.array([step.reward or 0.0 for step in episode[start : start + steps]], np.float32),
        reward_imagined=np.array(rewards, np.float32),
        latent_error=(predicted[: len(happened)] - happened).square().sum(-1).cpu().numpy(),
    )
