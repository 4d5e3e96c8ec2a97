"""The latent rollout core: what the planner computes, as pure functions of tensors."""

from robot_agent_kernels.backends import Backend, PackedParams, pack
from robot_agent_kernels.mppi.noise import PlanNoise, Seeds
from robot_agent_kernels.mppi.plan import plan, rollout
from robot_agent_kernels.mppi.types import PlanConfig, PlanResult, PlanState, PlanStatus
from robot_agent_kernels.params import MLPParams, RolloutParams
from robot_agent_kernels.rollout.native import BuildError, Precision

__all__ = [
    "Backend",
    "BuildError",
    "MLPParams",
    "PackedParams",
    "PlanConfig",
    "PlanNoise",
    "PlanResult",
    "PlanState",
    "PlanStatus",
    "Precision",
    "RolloutParams",
    "Seeds",
    "pack",
    "plan",
    "rollout",
]
