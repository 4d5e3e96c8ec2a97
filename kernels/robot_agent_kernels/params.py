"""The weights that the rollout core reads: plain tensors, so that any learner can own them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from robot_agent_kernels.activation.reference import Activation
from robot_agent_kernels.latent import LatentSpace


@dataclass(frozen=True)
class MLPParams:
    """Weights of an ensemble of equal multilayer perceptrons (see `mlp.reference.mlp`).

    Attributes:
        weights: one tensor a layer, `(ensemble, inputs, outputs)`.
        biases: one tensor a layer, `(ensemble, 1, outputs)`.
        activation: of the hidden layers.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    activation: Activation = "relu"

    @property
    def ensemble(self) -> int:
        return self.weights[0].shape[0]

    def select(self, members: Tensor) -> MLPParams:
        """The given members of the ensemble, `members` an index tensor of shape `(k,)`."""
        return MLPParams(
            tuple(weight.index_select(0, members) for weight in self.weights),
            tuple(bias.index_select(0, members) for bias in self.biases),
            self.activation,
        )


@dataclass(frozen=True)
class RolloutParams:
    """Everything that a latent rollout needs to know.

    Attributes:
        dynamics: `[latent, action, context]` to a prediction that `latent` turns into a latent; its ensemble gives the
            uncertainty.
        reward: `[latent, action, goal] -> bins` (two-hot logits), ensemble of 1.
        value: `[latent, action, goal] -> bins`, an ensemble of Q functions.
        policy: `[latent, goal] -> 2 * action_dim` (mean and log standard deviation before squashing), ensemble of 1.
        termination: `[latent] -> 1` (logit that the episode ended on entering that latent), ensemble of 1; None for a
            world that never ended an episode.
        bins: `(bins,)` the support of the two-hot distributions on the symlog scale.
        latent: what a latent is made of.
        discount: per decision.
        log_std_bounds: bounds of the policy's log standard deviation.
    """

    dynamics: MLPParams
    reward: MLPParams
    value: MLPParams
    policy: MLPParams
    termination: MLPParams | None
    bins: Tensor
    latent: LatentSpace
    discount: float
    log_std_bounds: tuple[float, float] = (-5.0, 1.0)

    def with_value_members(self, members: Tensor) -> RolloutParams:
        """The same with only some of the Q functions: those that are not drawn need not be computed."""
        return replace(self, value=self.value.select(members))
