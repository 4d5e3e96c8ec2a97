"""Where a rollout is computed: one class a back end, which holds the weights as it wants them."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

from robot_agent_kernels.mppi.refit import Refit
from robot_agent_kernels.mppi.types import PlanConfig
from robot_agent_kernels.params import RolloutParams
from robot_agent_kernels.rollout.native import BuildError, NativeRollout, Precision
from robot_agent_kernels.rollout.reference import ReferenceRollout

Backend = Literal["auto", "reference", "cpu"]


class PackedParams(Protocol):
    """Weights in the form of one back end."""

    @property
    def name(self) -> str:
        """Of the back end."""

    @property
    def value_ensemble(self) -> int:
        """How many Q functions there are to draw from."""

    def refresh(self, params: RolloutParams) -> None:
        """Takes the learner's weights as they are now; call it between two plans."""

    def rollout(
        self, z0: Tensor, actions: Tensor, goal: Tensor, context: Tensor, members: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `rollout.reference.ReferenceRollout.rollout`."""

    def policy_trajectories(self, z0: Tensor, goal: Tensor, context: Tensor, noise: Tensor) -> Tensor:
        """As `rollout.reference.ReferenceRollout.policy_trajectories`."""

    def refit(self, actions: Tensor, returns: Tensor, uncertainty: Tensor, config: PlanConfig) -> Refit:
        """As `mppi.refit.refit`."""


def pack(
    params: RolloutParams, backend: Backend = "auto", precision: Precision = "float32", threads: int = 1
) -> PackedParams:
    """Brings weights into the form of a back end.

    Args:
        params: the networks.
        backend: `reference` works everywhere and with any dtype; `cpu` is compiled for the machine and works on float32
            weights; `auto` is `cpu` where that can be had, else `reference`.
        precision: of the products of `cpu`.
        threads: of `cpu`.

    Raises:
        ValueError: there is no such back end, or the weights are not what it takes.
        BuildError: back end `cpu` was asked for and cannot be compiled here.
    """
    weights = params.bins
    fits_cpu = weights.device.type == "cpu" and weights.dtype == torch.float32
    if backend == "reference":
        return ReferenceRollout(params)
    if backend == "cpu":
        if not fits_cpu:
            raise ValueError(
                f"back end cpu got {weights.dtype} weights on {weights.device}, expected float32 on the CPU: "
                "convert them or choose reference"
            )
        return NativeRollout(params, precision, threads)
    if backend == "auto":
        try:
            return NativeRollout(params, precision, threads) if fits_cpu else ReferenceRollout(params)
        except BuildError:
            return ReferenceRollout(params)
    raise ValueError(f"there is no back end {backend!r}: choose auto, reference or cpu")
