"""The latent rollout core: what the planner computes, as pure functions of tensors."""

from robot_agent_kernels.backends import Backend, PackedParams, pack
from robot_agent_kernels.mppi.noise import PlanNoise
from robot_agent_kernels.mppi.plan import plan, rollout
from robot_agent_kernels.mppi.types import PlanConfig, PlanResult, PlanState, PlanStatus
from robot_agent_kernels.params import MLPParams, RolloutParams

__all__ = [
    "Backend",
    "MLPParams",
    "PackedParams",
    "PlanConfig",
    "PlanNoise",
    "PlanResult",
    "PlanState",
    "PlanStatus",
    "RolloutParams",
    "pack",
    "plan",
    "rollout",
]
