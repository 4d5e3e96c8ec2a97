"""The latent rollout core: what the planner computes, as pure functions of tensors."""

from robot_agent_kernels.mppi.plan import PlanConfig, PlanResult, PlanState, PlanStatus, plan
from robot_agent_kernels.params import MLPParams, RolloutParams
from robot_agent_kernels.rollout.reference import rollout

__all__ = ["MLPParams", "PlanConfig", "PlanResult", "PlanState", "PlanStatus", "RolloutParams", "plan", "rollout"]
