"""The reward head."""

from __future__ import annotations

from robot_agent_kernels.two_hot.reference import two_hot_loss
from torch import Tensor

from robot_agent.learning.terms.term import TermConfig, head_inputs, mean_over_known
from robot_agent.learning.unroll import LatentRollout
from robot_agent.mind import Mind


def reward(mind: Mind, rollout: LatentRollout, config: TermConfig) -> Tensor:
    """Cross-entropy of the two-hot reward, over the rewards that are known."""
    targets = rollout.rewards.T
    losses = two_hot_loss(mind.reward(*head_inputs(rollout, config))[0], targets.flatten(), mind.reward.bins)
    return mean_over_known(losses.view(targets.shape), rollout.batch.reward_known.T, config.temporal_decay)
