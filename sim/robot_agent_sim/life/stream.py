"""A list of worlds, each with its changes and its length, lived through as one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.drift.drift import Drift
from robot_agent_sim.life.chapter import Chapter

MakeWorld = Callable[[str], gymnasium.Env[Any, Any]]


class LifeStream(gymnasium.Env[Any, Any]):
    """Chapters as one world of one observation and action space; after the last, life goes on with the first.

    Where a life stands depends on `life_steps` alone, which a life that is resumed sets before its first episode.
    `info` has `chapter` (counted from 0, on and on), `world`, and `drift` as of `Drift`.

    Args:
        chapters: at least one.
        make_world: builds a world by its name.
        seed: of what chapters draw.

    Raises:
        ValueError: worlds whose spaces, control rate or rewards for a goal differ.
    """

    render_mode = "rgb_array"

    def __init__(self, chapters: Sequence[Chapter], make_world: MakeWorld, seed: int = 0) -> None:
        if not chapters:
            raise ValueError("a life needs at least one chapter")
        self.chapters = tuple(chapters)
        self.life_steps = 0
        self._seed = seed
        self._worlds = {name: make_world(name) for name in dict.fromkeys(chapter.world for chapter in chapters)}
        first = self._worlds[chapters[0].world]
        for name, world in self._worlds.items():
            same = world.observation_space == first.observation_space and world.action_space == first.action_space
            rates = [[of.metadata[rate] for rate in ("control_dt", "frames_per_step")] for of in (world, first)]
            if not same or rates[0] != rates[1]:
                raise ValueError(
                    f"{name} has other spaces or another control rate than {chapters[0].world}: a life needs the same"
                )
            if not _reward_goals_alike(world, first):
                raise ValueError(
                    f"{name} rewards a goal otherwise than {chapters[0].world}, and who relabels goals cannot tell "
                    "in which of them they were: give it a life of its own"
                )
        self.observation_space, self.action_space = first.observation_space, first.action_space
        self.metadata = dict(first.metadata)
        for chapter in self.chapters:  # one that cannot be is refused before the first begins
            Drift(self._worlds[chapter.world], chapter.changes, chapter.ranges).restore()
        self.chapter, _ = self._place_in_life()
        self._now = self._open_chapter()

    def _place_in_life(self) -> tuple[int, int]:
        """The chapter of the present step, counted on and on, and the step within it."""
        ends = list(accumulate(chapter.steps for chapter in self.chapters))
        year, step = divmod(self.life_steps, ends[-1])
        index = bisect_right(ends, step)
        return year * len(ends) + index, step - (ends[index] - self.chapters[index].steps)

    def _open_chapter(self) -> Drift:
        chapter = self.chapters[self.chapter % len(self.chapters)]
        return Drift(self._worlds[chapter.world], chapter.changes, chapter.ranges, self._seed + self.chapter)

    def begin(self, chapter: int, step: int = 0) -> None:
        """The next episode begins in a chapter (counted from 0), at a step within it.

        Raises:
            ValueError: there is no such chapter or step.
        """
        if not 0 <= chapter < len(self.chapters):
            raise ValueError(f"there is no chapter {chapter + 1}, expected 1 to {len(self.chapters)}")
        if not 0 <= step < self.chapters[chapter].steps:
            raise ValueError(
                f"there is no step {step} in chapter {chapter + 1}, expected 0 to {self.chapters[chapter].steps - 1}"
            )
        self.life_steps = sum(earlier.steps for earlier in self.chapters[:chapter]) + step

    @property
    def unwrapped(self) -> gymnasium.Env[Any, Any]:
        """The stream itself; what it shows changes from chapter to chapter."""
        return self

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Starts an episode, and the next chapter if this one is over."""
        super().reset(seed=seed)
        chapter, step = self._place_in_life()
        if chapter != self.chapter:
            self._now.restore()
            self.chapter = chapter
            self._now = self._open_chapter()
        self._now.life_steps = step
        of_chapter = None if seed is None else int(self.np_random.integers(2**31))
        observation, info = self._now.reset(seed=of_chapter, options=options)
        return observation, self._told(info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One control step of the chapter."""
        observation, reward, terminated, truncated, info = self._now.step(action)
        self.life_steps += 1
        return observation, float(reward), terminated, truncated, self._told(info)

    def _told(self, info: dict[str, Any]) -> dict[str, Any]:
        world = self.chapters[self.chapter % len(self.chapters)].world
        return {**info, "chapter": self.chapter, "world": world}

    def compute_reward(self, achieved: NDArray[Any], desired: NDArray[Any], info: Any) -> NDArray[np.float32]:
        """Of this world, as of all others of the life."""
        rewards: NDArray[np.float32] = self._now.get_wrapper_attr("compute_reward")(achieved, desired, info)
        return rewards

    def render(self) -> Any:
        """A frame of the world of this chapter."""
        return self._now.render()

    def close(self) -> None:
        """Closes all worlds."""
        for world in self._worlds.values():
            world.close()


def _reward_goals_alike(one: gymnasium.Env[Any, Any], other: gymnasium.Env[Any, Any]) -> bool:
    """Whether two worlds give the same rewards for a thousand pairs of goals, 0.1 mm to 1 m apart."""
    have = [world.has_wrapper_attr("compute_reward") for world in (one, other)]
    if not all(have):
        return not any(have)
    space = one.observation_space["desired_goal"]  # type: ignore[index]
    rng = np.random.default_rng(0)
    desired = rng.uniform(-0.5, 0.5, (1000, *space.shape)).astype(np.float32)
    apart = rng.normal(size=desired.shape)
    apart *= (10 ** rng.uniform(-4, 0, len(desired)) / np.linalg.norm(apart, axis=-1))[:, None]
    achieved = (desired + apart).astype(np.float32)
    rewards = [world.get_wrapper_attr("compute_reward")(achieved, desired, {}) for world in (one, other)]
    return np.array_equal(*rewards)
