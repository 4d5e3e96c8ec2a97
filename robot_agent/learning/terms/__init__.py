"""The terms of the loss of everything but the policy. A new term is a file here and a line in `TERMS`."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from robot_agent.learning.terms.guard import guard
from robot_agent.learning.terms.reward import reward
from robot_agent.learning.terms.self_prediction import code_prediction, consistency
from robot_agent.learning.terms.term import Term, TermConfig
from robot_agent.learning.terms.termination import termination
from robot_agent.learning.terms.value import value
from robot_agent.learning.unroll import LatentRollout
from robot_agent.mind import Mind

TERMS: dict[str, tuple[Term, float]] = {
    "consistency": (consistency, 20.0),
    "code_prediction": (code_prediction, 1.0),
    "guard": (guard, 0.1),
    "termination": (termination, 0.1),
    "reward": (reward, 0.1),
    "value": (value, 0.1),
}
"""Each term by its name, and its default weight."""


def default_weights() -> dict[str, float]:
    """The weight of each term."""
    return {name: weight for name, (_, weight) in TERMS.items()}


def evaluate_terms(
    mind: Mind, rollout: LatentRollout, weights: Mapping[str, float], config: TermConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum of all terms that apply, and each of them by its name, scalars.

    Raises:
        KeyError: a term has no weight.
    """
    parts = {name: loss for name, (term, _) in TERMS.items() if (loss := term(mind, rollout, config)) is not None}
    total = sum((weights[name] * loss for name, loss in parts.items()), rollout.embedding.new_zeros(()))
    return total, parts
