"""What two rovers can be about: one hunts the other, or both push one box."""

from __future__ import annotations

from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.arena.arena import ArenaEnv
from robot_agent_sim.rover.rover import HALF_SIZE, apart


class PursuitEnv(ArenaEnv):
    """`arena/pursuit`: the chaser wants to be within 0.35 m of the runner, who does not want that.

    The chaser's reward grows from 0 far away to 1 at the runner, half of it for being near enough; the runner's is 1
    less that. The runner drives a tenth slower, or nobody could ever be caught.
    """

    colours: ClassVar = {"chaser": (0.85, 0.3, 0.2), "runner": (0.25, 0.7, 0.35)}
    near = 0.35
    """m between the middles of the two."""
    handicap = 0.9

    def _furnish(self, spec: mujoco.MjSpec) -> None:
        for side in ("left", "right"):
            wheel = spec.actuator(f"runner/{side}_wheel")
            wheel.ctrlrange = self.handicap * np.asarray(wheel.ctrlrange)

    def _begin(self, rng: np.random.Generator) -> None:
        for rover, spot in zip(self.rovers.values(), apart(rng, 2, HALF_SIZE - 0.25, 0.8), strict=True):
            rover.place(self.data, spot, rng.uniform(-np.pi, np.pi))

    def _judge(self) -> dict[str, tuple[float, bool]]:
        chaser, runner = (self.rovers[agent].position(self.data) for agent in ("chaser", "runner"))
        away = float(np.linalg.norm(chaser - runner))
        caught = away <= self.near
        gain = 0.5 * caught + 0.5 / (1.0 + (away / 0.6) ** 2)
        return {"chaser": (gain, caught), "runner": (1.0 - gain, not caught)}

    def scripted_action(self, agent: str) -> NDArray[np.float64]:
        """The chaser drives at the runner; the runner away from the chaser, along walls rather than into them."""
        chaser, runner = (self.rovers[name].position(self.data) for name in ("chaser", "runner"))
        if agent == "chaser":
            return self.rovers[agent].towards(self.data, runner)
        flight = runner - chaser
        goal = runner + 0.8 * flight / max(float(np.linalg.norm(flight)), 1e-6)
        bound = HALF_SIZE - 0.3
        if np.any(np.abs(goal) > bound):  # cornered: turn aside, to the side with more room
            aside = np.array([-flight[1], flight[0]]) / max(float(np.linalg.norm(flight)), 1e-6)
            aside *= -np.sign(aside @ runner) or 1.0
            goal = np.clip(goal, -bound, bound) + 0.8 * aside
        return self.rovers[agent].towards(self.data, goal)


class PushEnv(ArenaEnv):
    """`arena/push`: each of two rovers wants the box in the other's half.

    `east` begins at x > 0 and gets -x of the box a step, in units of the half size of the arena, `west` gets +x;
    it is a success while the box is more than 0.3 m into the other's half.
    """

    colours: ClassVar = {"east": (0.3, 0.45, 0.85), "west": (0.85, 0.65, 0.2)}
    side = 0.2
    """m, edge of the box."""
    won = 0.3

    def _furnish(self, spec: mujoco.MjSpec) -> None:
        box = spec.worldbody.add_body(name="box", pos=(0, 0, self.side / 2))
        box.add_freejoint(name="box")
        box.add_geom(
            name="box",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=(self.side / 2,) * 3,
            mass=0.4,
            rgba=(0.75, 0.2, 0.45, 1),
            friction=(0.4, 0.005, 0.0001),
        )

    def _begin(self, rng: np.random.Generator) -> None:
        # `east` starts in the east and pushes west: what it wants is the box in the other's half.
        for agent, side in (("east", 1), ("west", -1)):
            spot = np.array([side * rng.uniform(0.6, 1.1), rng.uniform(-0.6, 0.6)])
            self.rovers[agent].place(self.data, spot, rng.uniform(-np.pi, np.pi))
        angle = rng.uniform(-np.pi, np.pi)
        place = (0, rng.uniform(-0.4, 0.4), self.side / 2)
        self.data.joint("box").qpos[:] = (*place, np.cos(angle / 2), 0, 0, np.sin(angle / 2))

    def _judge(self) -> dict[str, tuple[float, bool]]:
        x = float(self.data.joint("box").qpos[0])
        return {"east": (-x / HALF_SIZE, x < -self.won), "west": (x / HALF_SIZE, x > self.won)}

    def scripted_action(self, agent: str) -> NDArray[np.float64]:
        """Gets behind the box, on the side away from where it shall go, then pushes."""
        rover, side = self.rovers[agent], 1 if agent == "east" else -1
        box = self.data.joint("box").qpos[:2]
        behind = box + np.array([side * 0.35, 0.0])
        here = rover.position(self.data)
        ready = side * (here[0] - box[0]) > 0.15 and abs(here[1] - box[1]) < 0.08
        if ready:
            return rover.towards(self.data, box)
        if side * (here[0] - box[0]) < 0.2 and abs(here[1] - box[1]) < 0.25:  # round the box, not through it
            behind = behind + np.array([0.0, 0.45 * (np.sign(here[1] - box[1]) or 1.0)])
        return rover.towards(self.data, behind)
