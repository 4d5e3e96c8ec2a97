"""Online learning: makes the updates that are due after the decisions so far, from replay, and publishes weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robot_agent.errors import CheckpointError
from robot_agent.learning.batch import LearningBatch
from robot_agent.learning.batch_dump import dump_batch
from robot_agent.learning.checkpoint import Checkpoint, CheckpointStore, flatten, unflatten
from robot_agent.learning.goal_functions import GoalFunctions
from robot_agent.learning.hindsight import Hindsight, HindsightConfig
from robot_agent.learning.learner import Learner, LearnerConfig
from robot_agent.learning.weight_store import WeightStore
from robot_agent.mind import Mind, MindConfig
from robot_agent.replay.replay import Replay
from robot_agent.replay.sampler import SamplerConfig, SequenceBatch, SequenceSampler
from robot_agent.types import BodySpec


@dataclass(frozen=True)
class OnlineConfig:
    """When to learn, and from what.

    Attributes:
        updates_per_decision: the update-to-data ratio.
        random_decisions: the first decisions are random; learning starts after them, with the updates due for them too.
        publish_every: updates between two publications of the weights.
        learner: losses and optimisers.
        sampler: how sub-sequences are drawn.
        hindsight: relabelling in goal worlds.
        largest_dumps: batches with a non-finite loss that are kept on disk.
    """

    updates_per_decision: float = 1.0
    random_decisions: int = 1000
    publish_every: int = 10
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    hindsight: HindsightConfig = field(default_factory=HindsightConfig)
    largest_dumps: int = 10

    def updates_due(self, decisions: int) -> int:
        """Updates, skipped ones included, that are due after so many decisions."""
        return int(decisions * self.updates_per_decision) if decisions >= self.random_decisions else 0


class OnlineLearner:
    """One learner that reads replay and writes weights.

    Args:
        spec: shapes of the body.
        mind_config: sizes of the modules.
        config: when and how to learn.
        replay: where experience is.
        weights: where new weights go.
        seed: of initial weights and all draws.
        goal_functions: a goal world's; None switches hindsight off.
        dump_folder: where batches with a non-finite loss go.
        device: where the learning happens.

    Attributes:
        starved: whether updates were due when `owed` was last asked, but replay held no whole sub-sequence.
        skipped_updates: those that are known of, see `count_skipped`.
    """

    def __init__(
        self,
        spec: BodySpec,
        mind_config: MindConfig,
        config: OnlineConfig,
        replay: Replay,
        weights: WeightStore,
        seed: int = 0,
        goal_functions: GoalFunctions | None = None,
        dump_folder: Path | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.config = config
        self.spec = spec
        self.device = torch.device(device)
        self.learner = Learner(Mind(spec, mind_config, seed).to(self.device), config.learner, seed)
        stack = mind_config.encoder.frame_stack
        self.sampler = SequenceSampler(replay, config.learner.horizon, stack, config.sampler)
        self.weights = weights
        self.rng = np.random.default_rng((seed, 1))
        self.hindsight = Hindsight(goal_functions, spec, replay, config.hindsight) if goal_functions else None
        self.dump_folder = dump_folder
        self.starved = False
        self.skipped_updates = 0
        self._uncounted: list[tuple[int, SequenceBatch, Tensor]] = []

    @property
    def updates(self) -> int:
        """Updates done; some that were skipped may be among them until `count_skipped`."""
        return self.attempts - self.skipped_updates

    @property
    def attempts(self) -> int:
        """Updates done, those that a non-finite loss skipped included."""
        return self.learner.attempts

    def owed(self, decisions: int) -> int:
        """Updates that are due after so many decisions, from what is in replay now; none while that is nothing."""
        due = max(0, self.config.updates_due(decisions) - self.attempts)
        if due:
            self.sampler.refresh()
        self.starved = due > 0 and self.sampler.windows == 0
        return 0 if self.starved else due

    def update(self) -> dict[str, Tensor]:
        """One update from one freshly drawn batch of the experience that `owed` found; see `Learner.update`.

        Raises:
            ValueError: it found none.
        """
        drawn = self.sampler.sample(self.config.learner.batch_size, self.rng)
        lived_ends = drawn.terminated
        kept = self.hindsight.not_finite if self.hindsight else 0
        if self.hindsight:
            drawn = self.hindsight.relabel(drawn, self.attempts, self.rng)
        metrics = self.learner.update(self._to_tensors(drawn, lived_ends))
        if self.hindsight:
            metrics["hindsight_not_finite"] = torch.tensor(float(self.hindsight.not_finite - kept))
        self._uncounted.append((self.attempts, drawn, metrics["skipped"]))
        if len(self._uncounted) >= self.config.publish_every:
            self.count_skipped()
        return metrics

    def publish(self) -> None:
        """Offers the current weights to whoever acts, and looks for updates that were skipped since the last time."""
        self.count_skipped()
        self.weights.publish(self.learner.mind.state_dict(), self.updates)

    def count_skipped(self) -> None:
        """Brings `skipped_updates` up to date and dumps the batches of those since; waits for the device."""
        skipped = self.skipped_updates
        for attempt, drawn, flag in self._uncounted:
            if flag:
                skipped += 1
                if self.dump_folder and skipped <= self.config.largest_dumps:
                    dump_batch(self.dump_folder, attempt, drawn)
        self.skipped_updates = skipped
        self._uncounted.clear()

    def _to_tensors(self, drawn: SequenceBatch, lived_ends: NDArray[np.bool_]) -> LearningBatch:
        def move(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(array).to(self.device)

        return LearningBatch(
            cameras={name: move(frames) for name, frames in drawn.cameras.items()},
            proprio=move(drawn.proprio),
            actions=move(drawn.actions),
            rewards=move(drawn.rewards),
            reward_known=move(drawn.reward_known).float(),
            terminated=move(drawn.terminated).float(),
            lived_ends=move(lived_ends).float(),
            steps_known=move(drawn.steps_known).float(),
            observations_known=move(drawn.observations_known).float(),
            goal=move(drawn.desired_goal[:, 0]),
            ends=bool(drawn.terminated.any()),
        )

    def save(self, store: CheckpointStore, decisions: int, extra: Mapping[str, Any]) -> Path:
        """Writes everything that the next update depends on, and the caller's `extra` (JSON-able)."""
        self.count_skipped()
        tensors, state = flatten(self.learner.state_dict())
        return store.save(
            decisions,
            tensors,
            {
                "learner": state,
                "sampler_rng": self.rng.bit_generator.state,
                "hindsight": self.hindsight.state_dict() if self.hindsight else None,
                "body": asdict(self.spec),
                **extra,
            },
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """The inverse of `save`.

        Raises:
            CheckpointError: the checkpoint is of another body or other sizes.
        """
        try:
            self.learner.load_state_dict(unflatten(checkpoint.tensors, checkpoint.state["learner"]))
        except (RuntimeError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"the checkpoint {checkpoint.path} is of another body, of other sizes or of an older version: "
                "resume with the world, streams, sizes and version that the run was started with"
            ) from error
        self.skipped_updates = self.learner.skipped_updates
        self.rng.bit_generator.state = checkpoint.state["sampler_rng"]
        if self.hindsight and checkpoint.state.get("hindsight"):  # earlier versions kept none
            self.hindsight.load_state_dict(checkpoint.state["hindsight"])

    def close(self) -> None:
        """Frees what hindsight opened."""
        if self.hindsight:
            self.hindsight.close()
