"""How well the world model predicts an episode that was lived, and how rich the latent is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robot_agent.encoder.collapse_guard import effective_rank
from robot_agent.mind import Mind
from robot_agent.types import CAMERA_PREFIX, Observation, Transition

NEAR_IN_TIME = 20
"""Decisions within which two latents are near because little time has passed."""

MOST_STATES = 2_000
"""States that are compared with each other; of more, evenly spread ones."""

WIDEST_STATE = 10_000
"""Numbers in a state, beyond which it is left out."""

LARGEST_CHUNK = 256
"""Observations that are encoded at once: bounds the memory that a long episode takes."""


def observations_of(episode: Sequence[Transition]) -> list[Observation]:
    """All observations of an episode, its last one included."""
    last = episode[-1].final_observation
    return [step.observation for step in episode] + ([last] if last is not None else [])


@torch.no_grad()
def encode_episode(mind: Mind, observations: Sequence[Observation]) -> Tensor:
    """Latents of the consecutive observations of one episode from its start, `(steps, latent_dim)`."""
    device = next(mind.parameters()).device
    stack = mind.config.encoder.frame_stack
    steps = len(observations)
    proprio = np.zeros((steps, mind.spec.proprio_dim), np.float32)
    if mind.spec.proprio_dim:
        proprio = np.stack([observation["proprio"] for observation in observations])
    latents = []
    for start in range(0, steps, LARGEST_CHUNK):
        stop = min(start + LARGEST_CHUNK, steps)
        rows = np.clip(np.arange(start - stack + 1, stop), 0, None)
        cameras: Mapping[str, Tensor] = {
            name: torch.from_numpy(np.stack([observations[row][CAMERA_PREFIX + name] for row in rows]))
            .unsqueeze(0)
            .to(device)
            for name, _ in mind.spec.cameras
        }
        latents.append(mind.encoder(cameras, torch.from_numpy(proprio[start:stop]).unsqueeze(0).to(device))[0])
    return torch.cat(latents)


@torch.no_grad()
def prediction_errors(mind: Mind, latents: Tensor, actions: NDArray[np.float32], steps: int = 5) -> list[float]:
    """Error of open-loop prediction 1 to `steps` decisions ahead.

    Each is the mean squared distance between predicted and encoded latent, over that of predicting no change at all:
    0 is perfect, 1 is no better than standing still.

    Args:
        mind: its world model predicts.
        latents: `(T + 1, latent_dim)` of consecutive observations.
        actions: `(T, action_dim)` between them.
        steps: how far ahead.

    Returns:
        one number a distance; NaN where the episode is too short. Latents that are not finite are left out.
    """
    device = latents.device
    moves = torch.from_numpy(np.ascontiguousarray(actions)).to(device)
    errors = []
    predicted = latents
    for ahead in range(1, steps + 1):
        starts = latents.shape[0] - ahead
        if starts < 1:
            errors.append(float("nan"))
            continue
        context = mind.initial_context(starts)
        predicted = mind.world_model.heads(predicted[:starts], moves[ahead - 1 : ahead - 1 + starts], context).mean(0)
        error = (predicted - latents[ahead:]).square().sum(-1)
        still = (latents[:starts] - latents[ahead:]).square().sum(-1)
        finite = torch.isfinite(error) & torch.isfinite(still)
        errors.append(float(error[finite].mean() / still[finite].mean().clamp_min(1e-12)))
    return errors


def latent_quality(mind: Mind, episode: Sequence[Transition]) -> dict[str, float]:
    """`model_error_1` to `model_error_5` and `latent_rank` of one lived episode.

    With a camera in a simulator that gives its true state, also the distances of `retrieval_distance`: a latent can
    have a high rank and still say little about the state.
    """
    latents = encode_episode(mind, observations_of(episode))
    actions = np.stack([step.action for step in episode])[: len(latents) - 1]
    errors = prediction_errors(mind, latents, actions)
    record = {f"model_error_{ahead}": error for ahead, error in enumerate(errors, start=1)}
    finite = torch.isfinite(latents).all(1)
    record["latent_rank"] = effective_rank(latents[finite]) if finite.any() else float("nan")
    states = states_after(episode)
    if mind.spec.cameras and states is not None and len(latents) > len(states) > 2 * NEAR_IN_TIME:
        record |= retrieval_distance(latents[1:], states)
    return record


def states_after(episode: Sequence[Transition]) -> NDArray[np.float64] | None:
    """The simulator's true state after each decision `(steps, state_dim)`; None where it gives none, or no numbers of
    one width."""
    states: list[NDArray[np.float64]] = []
    for step in episode:
        try:
            state = np.asarray(step.info.get("state")).ravel()
        except ValueError:  # rows of different lengths: other people's environments call all kinds of things a state
            return None
        is_row = state.dtype.kind in "buif" and 0 < len(state) <= WIDEST_STATE
        if not is_row or (states and len(state) != len(states[0])):
            return None
        states.append(state.astype(np.float64))
    return np.stack(states) if states else None


def retrieval_distance(latents: Tensor, states: NDArray[np.float64], exclude: int = NEAR_IN_TIME) -> dict[str, float]:
    """Does a near latent mean a near state? True state of the nearest latent, against a random one and the nearest.

    Of more than `MOST_STATES`, evenly spread ones are compared.

    Args:
        latents: `(steps, latent_dim)` of one or more episodes.
        states: `(steps, state_dim)` of the simulator, for the report only; each dimension is scaled to unit variance.
        exclude: steps around each query that may not answer, since neighbours in time are near in any latent.

    Returns:
        mean distances `retrieval`, `retrieval_random` and `retrieval_oracle`.
    """
    chosen = torch.linspace(0, len(states) - 1, min(len(states), MOST_STATES)).round().long()
    true = torch.from_numpy((states - states.mean(0)) / (states.std(0) + 1e-6))[chosen]
    latent = latents.cpu()[chosen].double()
    near_in_time = (chosen[:, None] - chosen[None]).abs() < exclude
    between_states = torch.cdist(true, true)
    between_latents = torch.cdist(latent, latent)
    found = between_latents.masked_fill(near_in_time, torch.inf).argmin(1)
    allowed = between_states.masked_fill(near_in_time, 0.0)
    return {
        "retrieval": float(between_states[torch.arange(len(true)), found].mean()),
        "retrieval_random": float(allowed.sum() / (~near_in_time).sum()),
        "retrieval_oracle": float(between_states.masked_fill(near_in_time, torch.inf).amin(1).mean()),
    }
