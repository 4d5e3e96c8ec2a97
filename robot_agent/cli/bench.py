"""`robot-agent bench planner`: how long a decision's search takes here, against others on the same weights."""

from __future__ import annotations

import csv
import itertools
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, get_args

import torch
import tyro
from robot_agent_kernels import BuildError, PlanConfig, PlanState, Precision, RolloutParams, pack, plan
from robot_agent_kernels.bench.measure import (
    PUBLISHED,
    Timing,
    copy_rate,
    interleaved,
    matrix_rate,
    plan_bytes,
    plan_flops,
    published_params,
)
from robot_agent_kernels.bench.tdmpc2 import TDMPC2Planner

from robot_agent.mind import Mind, MindConfig
from robot_agent.run.bounds import POSITIVE_COUNT, check_numbers
from robot_agent.types import BodySpec

Case = Literal["published-cpu", "default-cpu", "published-gpu", "fleet-gpu"]
COLUMNS = ("case", "backend", "device", "p50_ms", "p99_ms", "baseline", "baseline_p50_ms", "ratio", "floor_ms")
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
NOT_MEASURED = "not measured"
ACTION_DIM = 6


@dataclass(frozen=True)
class Bench:
    """What to measure."""

    what: Annotated[Literal["planner"], tyro.conf.Positional] = "planner"
    """planner: how long a plan takes."""

    case: Literal[Case, "all"] = "all"
    """published: TD-MPC2's sizes, on two threads; default: this project's agent on one; fleet: 256 robots at once."""

    plans: int = 200
    """Plans of each kind that are timed."""

    compiled: bool = True
    """Compare with torch.compile as well, which takes a minute or two to compile."""

    out: Path | None = None
    """A CSV for the rows; they are printed in any case."""


@dataclass(frozen=True)
class Row:
    """One back end against one baseline; milliseconds of a plan."""

    case: str
    backend: str
    device: str
    p50_ms: float | str
    p99_ms: float | str
    baseline: str
    baseline_p50_ms: float | str
    ratio: float | str
    floor_ms: float | str


def measure(case: Case, plans: int, compiled: bool) -> Iterator[Row]:
    """The rows of a case; the GPU's are marked as not measured where there is none."""
    if case in ("published-gpu", "fleet-gpu"):
        yield from measure_gpu(case, plans, compiled)
        return
    threads = 2 if case == "published-cpu" else 1
    device = f"{threads} {'core' if threads == 1 else 'cores'} of {cpu_name()}"
    params, search = published_case() if case == "published-cpu" else default_case()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    try:
        floors: dict[str, float] = {}
        calls: dict[str, Callable[[], object]] = {}
        for precision in PRECISIONS:
            try:
                calls[f"cpu {precision}"] = planner_call(params, search, "cpu", precision, threads)
            except BuildError:
                continue
            floors[f"cpu {precision}"] = floor_ms(case, params, search, precision, threads)
        if case == "published-cpu":
            calls |= published_baselines(params, search, compiled)
        else:
            calls["reference"] = planner_call(params, search, "reference")
        with torch.inference_mode():
            timings = interleaved(calls, plans)
            say_refresh(case, params, tuple(floors), threads)
        for backend, floor in floors.items():
            for baseline in calls:
                if baseline not in floors:
                    yield row(case, backend, device, timings[backend], baseline, timings[baseline], floor)
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(False)


def measure_gpu(case: Case, plans: int, compiled: bool) -> Iterator[Row]:
    """One robot against other planners, or 256 robots at once against one after the other."""
    robots = 256 if case == "fleet-gpu" else 1
    if not torch.cuda.is_available():
        baseline = "separate plans" if robots > 1 else "TD-MPC2 compiled torch"
        none = NOT_MEASURED
        yield Row(case, "triton bfloat16", "cuda", none, none, baseline, none, none, none)
        return
    device = torch.cuda.get_device_name()
    params, search = published_params(ACTION_DIM, device="cuda"), PUBLISHED
    floor = floor_ms(case, params, search, "bfloat16", device="cuda", robots=robots)
    own = "triton bfloat16"
    calls = {own: waited(planner_call(params, search, "triton", "bfloat16", robots=robots))}
    if robots == 1:
        others = published_baselines(params, search, compiled)
        calls |= {name: waited(call) for name, call in others.items()}
    else:
        one = planner_call(params, search, "triton", "bfloat16")
        calls["separate plans"] = waited(lambda: [one() for _ in range(robots)])
    with torch.inference_mode():
        timings = interleaved(calls, plans)
    for name in calls:
        if name != own:
            yield row(case, own, device, timings[own], name, timings[name], floor)


def floor_ms(
    case: str,
    params: RolloutParams,
    search: PlanConfig,
    precision: Precision,
    threads: int = 1,
    device: str = "cpu",
    robots: int = 1,
) -> float:
    """Milliseconds that the products of a plan, or reading the weights for it, take at least; says from what."""
    flops, read = robots * plan_flops(params, search), plan_bytes(params, search, 4 if precision == "float32" else 2)
    rate, copied = matrix_rate(threads, device, precision), copy_rate(device)
    floor = max(flops / rate, read / copied) * 1e3
    print(
        f"{case} {precision}: {flops / 1e9:.3g} GFLOP at {rate / 1e9:.4g} GFLOP/s and {read / 1e6:.3g} MB at "
        f"{copied / 1e9:.3g} GB/s, so at least {floor:.3g} ms",
        file=sys.stderr,
    )
    return floor


def say_refresh(case: str, params: RolloutParams, backends: Sequence[str], threads: int) -> None:
    """How long it takes to bring new weights into a planner, between two plans."""
    for backend in backends:
        precision = next(known for known in PRECISIONS if backend.endswith(f" {known}"))
        packed = pack(params, "cpu", precision, threads)
        taken = interleaved({backend: partial(packed.refresh, params)}, 50)[backend]
        print(f"{case} {precision}: new weights p50 {taken.p50:.3g} ms, p99 {taken.p99:.3g} ms", file=sys.stderr)


def waited(call: Callable[[], object]) -> Callable[[], object]:
    """The same, until the GPU is done."""

    def whole() -> object:
        result = call()
        torch.cuda.synchronize()
        return result

    return whole


def row(case: str, backend: str, device: str, own: Timing, baseline: str, other: Timing, floor: float) -> Row:
    """Rounded for people."""
    ratio = round(other.p50 / own.p50, 2)
    return Row(
        case,
        backend,
        device,
        round(own.p50, 3),
        round(own.p99, 3),
        baseline,
        round(other.p50, 3),
        ratio,
        round(floor, 3),
    )


def published_case() -> tuple[RolloutParams, PlanConfig]:
    """TD-MPC2's published sizes."""
    return published_params(ACTION_DIM), PUBLISHED


def default_case() -> tuple[RolloutParams, PlanConfig]:
    """This project's default agent with a body of walker's size."""
    mind = Mind(BodySpec(cameras=(), proprio_dim=24, action_dim=ACTION_DIM), MindConfig())
    return mind.requires_grad_(False).rollout_params(), PlanConfig()


def planner_call(
    params: RolloutParams,
    search: PlanConfig,
    backend: Literal["cpu", "reference", "triton"],
    precision: Precision = "float32",
    threads: int = 1,
    robots: int = 1,
) -> Callable[[], object]:
    """A plan that goes on from the last one."""
    device = params.bins.device
    packed = pack(params, backend, precision, threads)
    shared = params.policy.weights[0].shape[1] - params.latent.width
    context = params.dynamics.weights[0].shape[1] - params.latent.width - ACTION_DIM
    z0 = params.latent.from_embedding(torch.randn(robots, params.latent.width, device=device))
    goal, contexts = torch.zeros(robots, shared, device=device), torch.zeros(robots, context, device=device)
    state, seeds = PlanState.initial(robots, search.horizon, ACTION_DIM, device), itertools.count()

    def call() -> object:
        nonlocal state
        result = plan(packed, z0, goal, contexts, None, state, search, next(seeds))
        state = result.state
        return result

    return call


def published_baselines(params: RolloutParams, search: PlanConfig, compiled: bool) -> dict[str, Callable[[], object]]:
    """Other planners with the same weights and sizes."""
    device = params.bins.device
    planner = TDMPC2Planner(params, search)
    z0 = params.latent.from_embedding(torch.randn(1, params.latent.width, device=device))
    previous = torch.zeros(search.horizon, ACTION_DIM, device=device)
    calls: dict[str, Callable[[], object]] = {"TD-MPC2 eager torch": lambda: planner(z0, previous)}
    if compiled:
        fast = TDMPC2Planner(params, search)
        fast.returns = torch.compile(fast.returns, dynamic=False)  # type: ignore[method-assign]
        calls["TD-MPC2 compiled torch"] = lambda: fast(z0, previous)
    try:
        from pytorch_mppi import MPPI
    except ImportError:
        print("pytorch-mppi is not installed, left out: pip install 'robot_agent[bench]'", file=sys.stderr)
        return calls
    members = torch.tensor([0, 1])

    def value(states: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        rows = torch.cat([states[..., -1, :], planner.act(states[..., -1, :])], dim=-1)
        return -torch.stack([planner.scalar(planner.values[i](rows)) for i in members]).mean(0)

    other = MPPI(
        planner.next,
        lambda state, action: -planner.scalar(planner.reward(torch.cat([state, action], dim=-1))),
        params.latent.width,
        torch.eye(ACTION_DIM, device=device),
        num_samples=search.samples + search.policy_samples,
        horizon=search.horizon,
        terminal_state_cost=value,
        u_min=-torch.ones(ACTION_DIM, device=device),
        u_max=torch.ones(ACTION_DIM, device=device),
        device=device,
    )

    def iterate() -> object:
        for iteration in range(search.iterations):
            action = other.command(z0[0], shift_nominal_trajectory=iteration == 0)
        return action

    calls["pytorch-mppi"] = iterate
    return calls


def cpu_name() -> str:
    """What the system calls its processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return name


def parse(argv: Sequence[str]) -> Bench:
    """The command line as a config; raises SystemExit on flags that there are not."""
    return tyro.cli(Bench, args=list(argv), prog="robot-agent bench", description=__doc__)


def run(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit status."""
    bench = parse(argv)
    check_numbers(bench, {"plans": POSITIVE_COUNT}, "--")
    cases: tuple[Case, ...] = ("default-cpu", "published-cpu", "published-gpu", "fleet-gpu")
    rows = []
    for case in cases if bench.case == "all" else (bench.case,):
        for line in measure(case, bench.plans, bench.compiled):
            rows.append(line)
            print(json.dumps(asdict(line)), flush=True)
    if bench.out is not None:
        write(rows, bench.out)
    if sys.stdout.isatty():
        show(rows)
    return 0


def write(rows: Sequence[Row], out: Path) -> None:
    """The rows of cases that were measured replace those of earlier runs on the same device."""
    kept: list[dict[str, object]] = []
    if out.exists():
        with out.open(newline="") as file:
            measured = {(line.case, line.device) for line in rows}
            kept = [dict(old) for old in csv.DictReader(file) if (old["case"], old["device"]) not in measured]
    temporary = out.with_suffix(".partial")
    with temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows([*kept, *(asdict(line) for line in rows)])
    os.replace(temporary, out)


def show(rows: Sequence[Row]) -> None:
    """A table for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*COLUMNS, title=f"planner on {cpu_name()}")
    for line in rows:
        table.add_row(*(str(value) for value in asdict(replace(line)).values()))
    Console().print(table)
