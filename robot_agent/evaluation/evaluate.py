"""Evaluation: the same loop, in episodes of its own, with learning off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray

from robot_agent.agent import Agent, AgentState
from robot_agent.drivers.driver import Driver, EpisodeSummary, Listener
from robot_agent.evaluation.filming import Film
from robot_agent.evaluation.model_quality import (
    MOST_STATES,
    encode_episode,
    observations_of,
    retrieval_distance,
    states_after,
)
from robot_agent.loop import Loop
from robot_agent.types import Transition

EVALUATION_SEED = 1_000_003
"""Added to the run's seed, so that no evaluation episode begins as one of the life did."""

LONGEST_EPISODE = 10_000
"""Decisions after which an episode of an evaluation is cut off: a world may never end one."""

FEWEST_STATES = 20
"""Of an episode whose latents are compared with its states."""

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
        video: rendered frames of the first episode or its beginning, empty if the body cannot be rendered.
        imagination: from the first episode, None if it cannot be rendered.
        retrieval: see `retrieval_distance`; empty where the simulator gives no state.
        transitions: decisions that were lived.
        decision_ms: time of each.
        cut_off: episodes that were cut off because they did not end.
    """

    returns: list[float]
    successes: list[bool]
    video: Frames
    imagination: Imagination | None
    retrieval: dict[str, float]
    transitions: int
    decision_ms: list[float]
    cut_off: int = 0


class _Recorder(Listener):
    """Keeps the first episode's beginning, some latents and states, and the summaries of all episodes."""

    def __init__(
        self,
        agent: Agent,
        body: gymnasium.Env,
        render: bool,
        measure_latent: bool,
        on_episode: Callable[[int], None] | None,
    ) -> None:
        self.agent = agent
        self.render = render and body.render_mode == "rgb_array"
        self.measure_latent = measure_latent
        self.report = on_episode
        self.film = Film(body)
        self.beginning: list[Transition] = []
        self.latents: list[torch.Tensor] = []
        self.states: list[NDArray[np.float64]] = []
        self.summaries: list[EpisodeSummary] = []

    def on_step(self, transition: Transition, state: AgentState) -> None:
        if self.render and not self.summaries and not self.film.is_full:
            self.film.take()
            self.beginning.append(transition)

    def on_episode(self, summary: EpisodeSummary) -> None:
        if self.measure_latent and sum(map(len, self.states)) <= MOST_STATES:
            after = states_after(summary.transitions)
            if after is not None and len(after) >= FEWEST_STATES and self._is_as_wide(after):
                self.latents.append(
                    encode_episode(self.agent.mind, observations_of(summary.transitions))[-len(after) :]
                )
                self.states.append(after)
        self.summaries.append(replace(summary, transitions=[]))
        if self.report:
            self.report(len(self.summaries))

    def _is_as_wide(self, states: NDArray[np.float64]) -> bool:
        return not self.states or states.shape[1] == self.states[0].shape[1]


def evaluate(
    agent: Agent,
    body: gymnasium.Env,
    episodes: int,
    seed: int = 0,
    render: bool = True,
    measure_latent: bool = True,
    on_episode: Callable[[int], None] | None = None,
    longest_episode: int = LONGEST_EPISODE,
) -> Evaluation:
    """Lives `episodes` episodes and measures them.

    Args:
        agent: it acts.
        body: the world; rendered if its `render_mode` is `rgb_array`.
        episodes: how many.
        seed: the run's seed; the episodes' seeds are derived from it and differ from those of the life.
        render: record a video and the imagination strip of the first episode.
        measure_latent: compare the latent's neighbours with the simulator's true state, where it gives one.
        on_episode: called with the number of episodes done.
        longest_episode: decisions after which an episode is cut off.
    """
    recorder = _Recorder(agent, body, render, measure_latent, on_episode)
    driver = Driver(
        Loop(agent, explore=False),
        {"agent": body},
        [recorder],
        seed=EVALUATION_SEED + seed,
        keep_transitions=MOST_STATES if measure_latent else 0,
        longest_episode=longest_episode,
    )
    driver.run(lambda life: life.episodes >= episodes)
    summaries, video = recorder.summaries, recorder.film.frames()
    return Evaluation(
        returns=[summary.episode_return for summary in summaries],
        successes=[summary.success for summary in summaries if summary.success is not None],
        video=video,
        imagination=_imagine(agent, recorder.beginning, video) if len(video) else None,
        retrieval=(
            retrieval_distance(torch.cat(recorder.latents), np.concatenate(recorder.states)) if recorder.states else {}
        ),
        transitions=driver.decisions,
        decision_ms=[ms for summary in summaries for ms in summary.decision_ms],
        cut_off=driver.cut_off,
    )


@torch.no_grad()
def _imagine(agent: Agent, episode: Sequence[Transition], frames: Frames, steps: int = 12) -> Imagination:
    """Rolls the world model open-loop along the actions of a stretch in the middle of the episode."""
    mind = agent.mind
    latents = encode_episode(mind, observations_of(episode))
    start = max(0, min(len(episode) // 4, len(episode) - steps - 1))
    steps = min(steps, len(episode) - start)
    latent = latents[start : start + 1]
    context = mind.initial_context(1)
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
