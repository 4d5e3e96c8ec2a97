"""How fast the worlds are: one JSON line a case, rows to `results/sim.csv`.

    python benchmarks/sim.py
    python benchmarks/sim.py --case physics

- `physics`: control steps of `so101/reach` without a camera, in physics steps a second, against `mj_step` in a loop on
  the same model that does the same motions.
- `batch`: 64 arms stepped together on two threads against 64 environments stepped in a loop.
- `camera`: control steps a second with one 64×64 camera, against a bare loop of physics and rendering.
- `camera-2`: the same in two processes at once, both together.
- `repeat`: decisions a second of two frames each, with the camera, against rendering the frame in between too.
- `worlds`: control steps a second of every world that is made here, a row each: with its camera of 64×64, against the
  same without cameras. Worlds of two agents are lived in by one of them against the script.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import robot_agent_sim  # noqa: F401, isort: skip  (before mujoco, which chooses its GL when it is imported)
import gymnasium
import mujoco
import numpy as np
import tyro
from robot_agent_sim.arena.games import PursuitEnv, PushEnv
from robot_agent_sim.arena.solo import SoloEnv
from robot_agent_sim.cameras.camera import open_camera
from robot_agent_sim.so101.batch import ArmBatch
from robot_agent_sim.so101.tasks import ReachEnv
from robot_agent_sim.worlds import OWN_WORLDS, SIDES
from robot_agent_sim.wrappers.action_repeat import ActionRepeat
from table import cpu_name, write_row

Case = Literal["physics", "batch", "camera", "camera-2", "repeat", "worlds"]
CASES: tuple[Case, ...] = get_args(Case)
ARMS = 64


@dataclass(frozen=True)
class Benchmark:
    """What is measured."""

    case: Literal["all", "physics", "batch", "camera", "camera-2", "repeat", "worlds"] = "all"
    """One case, or all."""

    seconds: float = 3.0
    """Of each of the turns."""

    turns: Annotated[int, tyro.conf.arg(help="Ours and the baseline take turns; medians count.")] = 5

    out: Path = Path(__file__).parent / "results" / "sim.csv"
    """The table; rows of cases that are not measured stay."""


@dataclass(frozen=True)
class Row:
    """A rate and what it is compared with, both per second."""

    case: str
    unit: str
    rate: int
    baseline: str
    baseline_rate: int
    ratio: float
    cores: int
    device: str


def rate(step: Callable[[], int], seconds: float) -> float:
    """Units a second: `step` does some and says how many."""
    done, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        done += step()
    return done / elapsed


def median_rates(ours: Callable[[], int], theirs: Callable[[], int], config: Benchmark) -> tuple[float, float]:
    """Turn by turn, so that what else the machine does meets both."""
    pairs = [(rate(ours, config.seconds), rate(theirs, config.seconds)) for _ in range(config.turns)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def stepping(env: gymnasium.Env[Any, Any], seed: int = 0) -> Callable[[], int]:
    """Control steps of random actions; resets are part of it."""
    actions = np.random.default_rng(seed).uniform(-1, 1, (997, *env.action_space.shape)).astype(np.float32)
    env.reset(seed=seed)
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        if env.step(actions[count % 997])[3]:
            env.reset()
        return 1

    return step


def bare(env: ReachEnv, render: Callable[[], object] | None = None) -> Callable[[], int]:
    """The same commands to the same model without an environment around it; physics steps, or pictures."""
    model, data = env.model, mujoco.MjData(env.model)
    mujoco.mj_setState(model, data, _state(env), mujoco.mjtState.mjSTATE_INTEGRATION)
    random = np.random.default_rng(0)
    walk = np.cumsum(random.uniform(-0.06, 0.06, (150, 6)), axis=0)
    commands = np.clip(data.ctrl + walk, *model.actuator_ctrlrange.T)
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        data.ctrl[:] = commands[count % 150]
        for _ in range(env.physics_steps):
            mujoco.mj_step(model, data)
        if render is None:
            return env.physics_steps
        render()
        return 1

    return step


def _state(env: ReachEnv) -> np.ndarray:
    env.reset(seed=0)
    state = np.empty(mujoco.mj_stateSize(env.model, mujoco.mjtState.mjSTATE_INTEGRATION))
    mujoco.mj_getState(env.model, env.data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
    return state


def physics(config: Benchmark) -> Iterator[Row]:
    """See the module."""
    env = ReachEnv(streams=("proprio",))
    step = stepping(env)
    ours, theirs = median_rates(lambda: step() * env.physics_steps, bare(ReachEnv(streams=("proprio",))), config)
    yield row("physics", "physics steps", ours, "mj_step in a loop", theirs, 1)


def batch(config: Benchmark) -> Iterator[Row]:
    """See the module."""
    arms = ArmBatch(ReachEnv(streams=("proprio",)), ARMS, threads=2)
    arms.reset(seed=0)
    actions = np.random.default_rng(0).uniform(-1, 1, (97, ARMS, 6)).astype(np.float32)
    singles = [stepping(ReachEnv(streams=("proprio",)), seed) for seed in range(ARMS)]
    count = 0

    def together() -> int:
        nonlocal count
        count += 1
        arms.step(actions[count % 97])
        return ARMS

    ours, theirs = median_rates(together, lambda: sum(step() for step in singles), config)
    yield row("batch", "control steps", ours, "64 environments in a loop", theirs, 2)


def camera(config: Benchmark) -> Iterator[Row]:
    """See the module."""
    other = ReachEnv()
    picture = open_camera(other.model, other.data, other.model.camera("overhead").id, (64, 64))
    ours, theirs = median_rates(stepping(ReachEnv()), bare(other, picture.render), config)
    yield row("camera", "control steps", ours, "mj_step and a renderer in a loop", theirs, 1)


def _camera_rate(seconds: float, seed: int, barrier: threading.Barrier) -> float:
    step = stepping(ReachEnv(), seed)
    rate(step, 0.5)
    barrier.wait()
    return rate(step, seconds)


def camera_2(config: Benchmark) -> Iterator[Row]:
    """See the module."""
    context = multiprocessing.get_context("spawn")
    alone: list[float] = []
    both: list[float] = []
    with context.Manager() as manager, context.Pool(2) as pool:
        for _ in range(config.turns):
            for count, rates in ((1, alone), (2, both)):
                barrier = manager.Barrier(count)
                arguments = [(config.seconds, seed, barrier) for seed in range(count)]
                rates.append(sum(pool.starmap(_camera_rate, arguments, chunksize=1)))
    yield row("camera-2", "control steps", statistics.median(both), "one process", statistics.median(alone), 2)


def repeat(config: Benchmark) -> Iterator[Row]:
    """See the module."""
    ours, every_frame = (ActionRepeat(ReachEnv(), 2) for _ in range(2))
    every_frame._eyes = None
    rates = median_rates(stepping(ours), stepping(every_frame), config)
    yield row("repeat", "decisions", rates[0], "each frame rendered", rates[1], 1)


def worlds(config: Benchmark) -> Iterator[Row]:
    """See the module."""
    for world in (*OWN_WORLDS, *SIDES):
        seeing, blind = _built(world, ("camera", "proprio")), _built(world, ("proprio",))
        rates = median_rates(stepping(seeing), stepping(blind), config)
        yield row(world, "control steps", rates[0], "without cameras", rates[1], 1)
        seeing.close()


def _built(world: str, streams: tuple[str, ...]) -> gymnasium.Env[Any, Any]:
    """A world by its classes, which do not mind if nobody sees what shall be done."""
    if world in SIDES:
        shared, agent, _ = SIDES[world]
        arena = {"arena/pursuit": PursuitEnv, "arena/push": PushEnv}[shared]
        return SoloEnv(arena(streams=streams), agent)
    return gymnasium.make(f"{world}-v0", streams=streams, disable_env_checker=True).unwrapped


def row(case: str, unit: str, ours: float, baseline: str, theirs: float, cores: int) -> Row:
    """Rounded for people."""
    return Row(case, unit, round(ours), baseline, round(theirs), round(ours / theirs, 3), cores, cpu_name())


def main(config: Benchmark) -> None:
    """Measures and writes."""
    measures: dict[Case, Callable[[Benchmark], Iterator[Row]]] = {
        "physics": physics,
        "batch": batch,
        "camera": camera,
        "camera-2": camera_2,
        "repeat": repeat,
        "worlds": worlds,
    }
    for case in CASES if config.case == "all" else (config.case,):
        for line in measures[case](config):
            print(json.dumps(asdict(line)), flush=True)
            write_row(config.out, asdict(line), key=("case", "device"))


if __name__ == "__main__":
    main(tyro.cli(Benchmark, description=__doc__))
