"""Small configurations, so that tests are fast."""

from __future__ import annotations

from dataclasses import replace

from robot_agent_kernels import PlanConfig

from robot_agent.agent import AgentConfig
from robot_agent.encoder.encoder import EncoderConfig
from robot_agent.learning.learner import LearnerConfig
from robot_agent.learning.online import OnlineConfig
from robot_agent.mind import MindConfig
from robot_agent.planning.planner import PlannerConfig
from robot_agent.policy.heads import HeadsConfig
from robot_agent.run.config import RunConfig
from robot_agent.world_model.world_model import WorldModelConfig

MIND = MindConfig(
    encoder=EncoderConfig(
        latent_dim=32, simplex_dim=4, hidden=(64,), camera_channels=(8, 8, 8), camera_features=16, shift_pixels=1
    ),
    world_model=WorldModelConfig(hidden=(64, 64)),
    heads=HeadsConfig(hidden=(64, 64), bins=51),
    discount=0.95,
)
AGENT = AgentConfig(mind=MIND, planner=PlannerConfig(search=PlanConfig(samples=24, policy_samples=8, iterations=2)))
ONLINE = OnlineConfig(random_decisions=200, learner=LearnerConfig(batch_size=64))
RUN = RunConfig(world="test", frames=400, deterministic=True, device="cpu", agent=AGENT, online=ONLINE)


def run_config(**changes: object) -> RunConfig:
    """The small run with some fields changed."""
    return replace(RUN, **changes)  # type: ignore[arg-type]
