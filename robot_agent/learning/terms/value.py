"""The Q functions."""

from __future__ import annotations

from robot_agent_kernels.two_hot.reference import two_hot_loss
from torch import Tensor

from robot_agent.learning.terms.term import TermConfig, head_inputs, mean_over_known
from robot_agent.learning.unroll import LatentRollout
from robot_agent.mind import Mind


def value(mind: Mind, rollout: LatentRollout, config: TermConfig) -> Tensor:
    """Cross-entropy of each two-hot Q function against the returns that are known."""
    targets = rollout.returns.value.T
    losses = two_hot_loss(mind.value(*head_inputs(rollout, config)), targets.flatten(), mind.value.bins).mean(0)
    return mean_over_known(losses.view(targets.shape), rollout.returns.known.T, config.temporal_decay)
