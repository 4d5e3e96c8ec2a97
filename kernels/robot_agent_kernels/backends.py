"""Where a rollout is computed: one class a back end, which holds the weights as it wants them."""

from __future__ import annotations

import os
import warnings
from typing import Literal, Protocol

import torch
from torch import Tensor

from robot_agent_kernels.mppi.noise import PlanNoise, Seeds
from robot_agent_kernels.mppi.refit import Refit
from robot_agent_kernels.mppi.types import PlanConfig, PlanResult, PlanState
from robot_agent_kernels.params import RolloutParams
from robot_agent_kernels.rollout.native import BuildError, NativeRollout, Precision
from robot_agent_kernels.rollout.reference import ReferenceRollout

Backend = Literal["auto", "reference", "cpu", "triton"]


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

    def refit(self, actions: Tensor, returns: Tensor, uncertainty: Tensor, config: PlanConfig) -> Refit:
        """As `mppi.refit.refit`."""

    def plan(
        self,
        z0: Tensor,
        goal: Tensor,
        context: Tensor,
        proposals: Tensor | None,
        state: PlanState,
        config: PlanConfig,
        seed: int | Seeds,
        deadline_ms: float | None = None,
        noise: PlanNoise | None = None,
    ) -> PlanResult:
        """As `mppi.plan.plan`."""


def pack(
    params: RolloutParams, backend: Backend = "auto", precision: Precision | None = None, threads: int = 1
) -> PackedParams:
    """Brings weights into the form of a back end.

    Args:
        params: the networks.
        backend: `reference` works everywhere and with any dtype; `cpu` is compiled for the machine and works on float32
            weights; `triton` works on float32 weights on a GPU; `auto` is `triton` or `cpu` by where the weights are,
            where that can be had, else `reference`, with a warning that says why.
        precision: of the products; None for float32 on a CPU and bfloat16 on a GPU.
        threads: of `cpu`.

    Raises:
        ValueError: there is no such back end, or the weights are not what it takes.
        BuildError: the back end that was asked for cannot be had here.
    """
    if backend == "auto":
        if params.bins.dtype != torch.float32 or params.bins.device.type not in ("cpu", "cuda"):
            return ReferenceRollout(params)
        try:
            return pack(params, "cpu" if params.bins.device.type == "cpu" else "triton", precision, threads)
        except BuildError as error:
            warnings.warn(f"plans are computed in plain torch, which is several times slower: {error}", stacklevel=2)
            return ReferenceRollout(params)
    if backend == "reference":
        return ReferenceRollout(params)
    if backend not in ("cpu", "triton"):
        raise ValueError(f"there is no back end {backend!r}: choose auto, reference, cpu or triton")
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    place = "cuda" if backend == "triton" and not interpreted else "cpu"
    if params.bins.dtype != torch.float32 or params.bins.device.type != place:
        raise ValueError(
            f"back end {backend} got {params.bins.dtype} weights on {params.bins.device}, expected torch.float32 on "
            f"{place}: convert them or choose reference"
        )
    if backend == "cpu":
        return NativeRollout(params, precision or "float32", threads)
    return _triton(params, precision or "bfloat16")


def _triton(params: RolloutParams, precision: Precision) -> PackedParams:
    if precision == "float16":
        raise ValueError("back end triton multiplies in bfloat16 or float32, not float16: choose one of them")
    try:  # an import that takes seconds, and a package that a machine without a GPU need not have
        from robot_agent_kernels.mppi.launch import TritonPlanner
    except ImportError as error:
        raise BuildError("triton is not installed: pip install 'robot_agent[gpu]'") from error
    return TritonPlanner(params, getattr(torch, precision))
