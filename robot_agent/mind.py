"""The learned modules as one: what the learner trains, what a checkpoint holds, what the planner reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from robot_agent_kernels.params import RolloutParams
from torch import Tensor, nn

from robot_agent.encoder.encoder import Encoder, EncoderConfig
from robot_agent.policy.goal_encoder import GoalEncoder
from robot_agent.policy.heads import HeadsConfig, Policy, TwoHotHead
from robot_agent.policy.reward_scale import RewardScale
from robot_agent.types import BodySpec
from robot_agent.world_model.world_model import WorldModel, WorldModelConfig


@dataclass(frozen=True)
class MindConfig:
    """Sizes of all learned modules, and the discount.

    Attributes:
        encoder: see `EncoderConfig`.
        world_model: see `WorldModelConfig`.
        heads: see `HeadsConfig`.
        discount: of the return, per decision: rewards of the next `control_dt / (1 - discount)` seconds matter.
    """

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    world_model: WorldModelConfig = field(default_factory=WorldModelConfig)
    heads: HeadsConfig = field(default_factory=HeadsConfig)
    discount: float = 0.99


class Mind(nn.Module):
    """Encoder, world model, and the goal-conditioned heads for one kind of body."""

    def __init__(self, spec: BodySpec, config: MindConfig, seed: int = 0) -> None:
        super().__init__()
        self.spec = spec
        self.config = config
        latent_dim, space = config.encoder.latent_dim, config.encoder.space()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = Encoder(spec, config.encoder)
            self.world_model = WorldModel(latent_dim, space, spec.action_dim, config.world_model)
            self.goal_encoder = GoalEncoder(spec.goal_dim, config.heads.goal_embedding_dim)
            self.reward = TwoHotHead(latent_dim, spec.action_dim, config.heads, ensemble=1)
            self.value = TwoHotHead(latent_dim, spec.action_dim, config.heads, ensemble=config.heads.value_ensemble)
            self.policy = Policy(latent_dim, spec.action_dim, config.heads)
            self.reward_scale = RewardScale(config.discount, config.heads.scale_rewards)

    def initial_context(self, rows: int) -> Tensor:
        """The context before anything was seen, `(rows, context_dim)`."""
        device = next(self.parameters()).device
        return torch.zeros(rows, self.config.world_model.context_dim, device=device)

    def rollout_params(self) -> RolloutParams:
        """The weights as the rollout core takes them: the same tensors, not copies."""
        terminates = bool(self.world_model.terminations_seen)
        return RolloutParams(
            dynamics=self.world_model.dynamics.params(),
            reward=self.reward.network.params(),
            value=self.value.network.params(),
            policy=self.policy.network.params(),
            termination=self.world_model.termination.params() if terminates else None,
            bins=self.reward.bins,
            latent=self.world_model.space,
            discount=self.config.discount,
            log_std_bounds=self.policy.log_std_bounds,
        )


def with_reward_scale(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a mind; where they have no reward scale, values are in the world's units and stay so."""
    prefix = "reward_scale."
    if any(name.startswith(prefix) for name in weights):
        return dict(weights)
    unit = RewardScale(discount=0.0)
    unit.fitted.fill_(True)
    return {**weights, **{prefix + name: tensor for name, tensor in unit.state_dict().items()}}
