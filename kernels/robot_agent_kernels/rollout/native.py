"""`rollout` on a CPU in C: `rollout.c` compiled for the machine that it runs on, weights packed as it wants them."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from robot_agent_kernels.fsq.reference import codebook
from robot_agent_kernels.latent import QuantisedLatent, SimNormLatent
from robot_agent_kernels.mppi.refit import Refit
from robot_agent_kernels.mppi.search import SearchInTorch
from robot_agent_kernels.mppi.types import PlanConfig
from robot_agent_kernels.params import MLPParams, RolloutParams

Precision = Literal["float32", "float16", "bfloat16"]
_SOURCE = Path(__file__).with_name("rollout.c")
_ACTIVATIONS = {"relu": 0, "silu": 1, "mish": 2}
_LAYERS = 8
"""Most layers of a network, as `rollout.c` has it."""
_uninitialised = torch.empty
"""Tests put poisoned memory here."""


class _Network(ctypes.Structure):
    """Mirrors `Network` of `rollout.c`."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("layers", "activation", "latent", "action", "shared")),
        ("outputs", ctypes.c_int32 * _LAYERS),
        *((name, ctypes.c_void_p) for name in ("of_latent", "of_action", "of_shared")),
        ("weights", ctypes.c_void_p * _LAYERS),
        ("biases", ctypes.c_void_p * _LAYERS),
    ]


_COUNTS = ("robots", "samples", "horizon", "action_dim", "latent", "groups", "codes", "channels", "heads", "values")
_MORE_COUNTS = ("bins", "terminates", "goal", "context", "widest", "first_row", "last_row")
_POINTERS = ("support", "codebook", "dynamics", "reward", "value", "policy", "termination", "members")
_TENSORS = ("z0", "actions", "goals", "contexts", "returns", "uncertainty", "final", "scratch")


class _Rollout(ctypes.Structure):
    """Mirrors `Rollout` of `rollout.c`."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in (*_COUNTS, *_MORE_COUNTS)),
        *((name, ctypes.c_float) for name in ("discount", "lowest_log_std", "highest_log_std")),
        *((name, ctypes.c_void_p) for name in (*_POINTERS, *_TENSORS)),
    ]


class BuildError(RuntimeError):
    """This machine cannot compile the rollout, or has no instructions for the precision."""


@lru_cache(maxsize=1)
def cpu_flags() -> frozenset[str]:
    """The instruction sets that the CPU names; empty where the system does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return frozenset()
    lines = [line for line in text.splitlines() if line.startswith(("flags", "Features"))]
    return frozenset(lines[0].split()) if lines else frozenset()


@lru_cache(maxsize=4)
def library(precision: Precision = "float32") -> ctypes.CDLL:
    """Compiles `rollout.c` once a machine, a version and a precision, and loads it.

    Raises:
        BuildError: no C compiler, the compiler failed, or the CPU lacks the instructions.
    """
    flags = cpu_flags()
    needed = {"float32": None, "float16": "avx512_fp16", "bfloat16": "avx512_bf16"}[precision]
    if needed is not None and needed not in flags:
        raise BuildError(f"this CPU has no {needed} instructions for {precision} products: choose float32")
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        raise BuildError("no C compiler for the fast rollout: install one (sudo apt-get install gcc)")
    options = ["-O3", "-march=native", "-fno-math-errno", "-ffp-contract=fast", "-shared", "-fPIC"]
    options += [f"-DPRECISION={32 if precision == 'float32' else 16}"]
    options += [f"-DHALF_IS_BFLOAT16={int(precision == 'bfloat16')}"]
    identity = "\n".join([_SOURCE.read_text(), compiler, *options, platform.machine(), *sorted(flags)])
    name = f"rollout-{hashlib.sha256(identity.encode()).hexdigest()[:20]}.so"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "robot_agent"
    built = cache / name
    if not built.exists():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            folder = cache
        except OSError:
            folder = Path(tempfile.mkdtemp(prefix="robot_agent-"))
        built = _compile(compiler, options, folder / name)
    loaded = ctypes.CDLL(str(built))
    loaded.rollout.argtypes = [ctypes.POINTER(_Rollout)]
    loaded.rollout.restype = None
    loaded.policy_trajectories.argtypes = [ctypes.POINTER(_Rollout), ctypes.c_void_p]
    loaded.policy_trajectories.restype = None
    floats, ints = ctypes.c_float, ctypes.c_int
    loaded.refit.argtypes = [ints] * 4 + [floats] * 4 + [ctypes.c_void_p] * 9
    loaded.refit.restype = None
    loaded.rollout_scratch.argtypes = [ctypes.POINTER(_Rollout)]
    loaded.rollout_scratch.restype = ctypes.c_long
    loaded.repeat_product.argtypes = [ints] * 4 + [ctypes.c_void_p] * 3
    loaded.repeat_product.restype = None
    loaded.panel_width.restype = ctypes.c_int
    return loaded


def _compile(compiler: str, options: list[str], built: Path) -> Path:
    temporary = built.with_suffix(f".{os.getpid()}")  # two processes may build at once; whoever is last wins
    command = [compiler, *options, str(_SOURCE), "-o", str(temporary), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip()[-200:])
        raise BuildError(f"{compiler} could not compile the fast rollout ({first}): choose back end reference")
    os.replace(temporary, built)
    return built


class NativeRollout(SearchInTorch):
    """Weights packed for `rollout.c`.

    Args:
        params: float32 networks on the CPU; copied.
        precision: of the products. `float16` sums at most 64 of them before it goes on in float32 and is the fastest on
            Intel CPUs since 2023; `bfloat16` is on AMD CPUs since 2022. Latents, returns and uncertainty are float32.
        threads: among which the trajectories are divided.

    Raises:
        BuildError: this machine cannot have it.
    """

    name = "cpu"

    def __init__(self, params: RolloutParams, precision: Precision = "float32", threads: int = 1) -> None:
        self.library = library(precision)
        self.precision = precision
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._scratch = torch.zeros(threads, 0)
        self.refresh(params)

    def refresh(self, params: RolloutParams) -> None:
        """Takes the learner's weights as they are now."""
        self._all_members = torch.arange(params.value.ensemble, dtype=torch.int32)
        space = params.latent
        self.latent = space.width
        self.action_dim = params.policy.weights[-1].shape[-1] // 2
        self._kept: list[Tensor] = []
        self._structures = {
            "dynamics": self._networks(params.dynamics, self.action_dim),
            "reward": self._networks(params.reward, self.action_dim),
            "value": self._networks(params.value, self.action_dim),
            "policy": self._networks(params.policy, 0),
            "termination": None if params.termination is None else self._networks(params.termination, 0),
        }
        common = _Rollout(
            action_dim=self.action_dim,
            latent=self.latent,
            heads=params.dynamics.ensemble,
            bins=params.bins.shape[0],
            terminates=int(params.termination is not None),
            goal=params.policy.weights[0].shape[1] - self.latent,
            context=params.dynamics.weights[0].shape[1] - self.latent - self.action_dim,
            widest=self._panels(max(w.shape[2] for net in self._all(params) for w in net.weights)),
            discount=params.discount,
            lowest_log_std=params.log_std_bounds[0],
            highest_log_std=params.log_std_bounds[1],
            support=self._keep(_padded(params.bins.float(), self._panels(params.bins.shape[0]))),
            **{name: ctypes.addressof(nets) for name, nets in self._structures.items() if nets is not None},
        )
        if isinstance(space, SimNormLatent):
            common.groups, common.codes, common.channels = space.groups, space.width // space.groups, 0
        elif isinstance(space, QuantisedLatent):
            codes = codebook(space.levels, torch.float32, torch.device("cpu"))
            common.groups, common.codes, common.channels = space.width // len(space.levels), *codes.shape
            common.codebook = self._keep(codes)
        else:
            raise BuildError(f"the fast rollout knows no {type(space).__name__}: choose back end reference")
        self._common = common

    @staticmethod
    def _all(params: RolloutParams) -> list[MLPParams]:
        nets = [params.dynamics, params.reward, params.value, params.policy]
        return nets if params.termination is None else [*nets, params.termination]

    @property
    def value_ensemble(self) -> int:
        """How many Q functions there are to draw from."""
        return self._all_members.shape[0]

    def _panels(self, width: int) -> int:
        panel = self.library.panel_width()
        return -(-width // panel) * panel

    def _keep(self, tensor: Tensor) -> int:
        """An address that stays good until the next refresh."""
        self._kept.append(tensor.contiguous())
        return self._kept[-1].data_ptr()

    def _packed(self, weight: Tensor) -> int:
        """`(inputs, outputs)` as panels of columns; with 16 bits, two inputs side by side."""
        inputs, outputs = weight.shape
        panel, pair = self.library.panel_width(), 1 if self.precision == "float32" else 2
        rows = -(-inputs // pair) * pair
        whole = weight.new_zeros(rows, self._panels(outputs), dtype=getattr(torch, self.precision))
        whole[:inputs, :outputs] = weight
        return self._keep(whole.view(rows // pair, pair, whole.shape[1] // panel, panel).permute(2, 0, 3, 1))

    def _networks(self, params: MLPParams, action: int) -> ctypes.Array[_Network]:
        if len(params.weights) > _LAYERS:
            raise BuildError(f"the fast rollout takes at most {_LAYERS} layers: choose back end reference")
        nets = (_Network * params.ensemble)()
        shared = params.weights[0].shape[1] - self.latent - action
        for member, net in enumerate(nets):
            first = params.weights[0][member].split([self.latent, action, shared])
            net.layers, net.activation = len(params.weights), _ACTIVATIONS[params.activation]
            net.latent, net.action, net.shared = self.latent, action, shared
            net.of_latent, net.of_action, net.of_shared = map(self._packed, first)
            for layer, (weight, bias) in enumerate(zip(params.weights, params.biases, strict=True)):
                net.outputs[layer] = weight.shape[2]
                net.biases[layer] = self._keep(_padded(bias[member, 0].float(), self._panels(weight.shape[2])))
                if layer:
                    net.weights[layer] = self._packed(weight[member])
        return nets

    def rollout(
        self, z0: Tensor, actions: Tensor, goal: Tensor, context: Tensor, members: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `rollout.reference.ReferenceRollout.rollout`; float32."""
        returns, uncertainty = _uninitialised(2, *actions.shape[:2]).unbind()
        final = _uninitialised(*actions.shape[:2], self.latent)
        self._call(self.library.rollout, z0, actions, goal, context, members, (returns, uncertainty, final))
        return returns, uncertainty, final

    def policy_trajectories(self, z0: Tensor, goal: Tensor, context: Tensor, noise: Tensor) -> Tensor:
        """As `rollout.reference.ReferenceRollout.policy_trajectories`; float32."""
        actions = noise.to(torch.float32, copy=True).contiguous()
        self._call(
            self.library.policy_trajectories, z0, actions, goal, context, torch.arange(0), (), actions.data_ptr()
        )
        return actions

    def refit(self, actions: Tensor, returns: Tensor, uncertainty: Tensor, config: PlanConfig) -> Refit:
        """As `mppi.refit.refit`; float32."""
        robots, candidates, horizon, action_dim = actions.shape
        inputs = [tensor.contiguous() for tensor in (actions, returns, uncertainty)]
        mean, std = _uninitialised(2, robots, horizon, action_dim).unbind()
        scores, weights = _uninitialised(2, robots, candidates).unbind()
        value, disagreement = _uninitialised(2, robots).unbind()
        self.library.refit(
            *(robots, candidates, horizon * action_dim, config.elites),
            *(config.temperature, config.uncertainty_coefficient, config.min_std, config.max_std),
            *(t.data_ptr() for t in (*inputs, mean, std, scores, weights, value, disagreement)),
        )
        return Refit(mean, std, weights, value, disagreement)

    def _call(
        self,
        function: Callable[..., None],
        z0: Tensor,
        actions: Tensor,
        goal: Tensor,
        context: Tensor,
        members: Tensor | None,
        outputs: Sequence[Tensor],
        *more: int,
    ) -> None:
        """Calls into C, the rows divided among the threads."""
        robots, samples, horizon, _ = actions.shape
        drawn = self._all_members if members is None else members.to(torch.int32).contiguous()
        inputs = [tensor.to(torch.float32).contiguous() for tensor in (z0, actions, goal, context)]
        call = _Rollout.from_buffer_copy(self._common)
        call.robots, call.samples, call.horizon, call.values = robots, samples, horizon, drawn.shape[0]
        call.members = drawn.data_ptr()
        for name, tensor in zip(_TENSORS, (*inputs, *outputs), strict=False):
            setattr(call, name, tensor.data_ptr())
        rows = robots * samples
        parts = min(self.threads, rows)
        bounds = [rows * part // parts for part in range(parts + 1)]
        needed = self.library.rollout_scratch(call)
        if self._scratch.shape[1] < needed:
            self._scratch = _uninitialised(self.threads, needed)

        def run(part: int) -> None:
            mine = _Rollout.from_buffer_copy(call)
            mine.first_row, mine.last_row = bounds[part], bounds[part + 1]
            mine.scratch = self._scratch[part].data_ptr()
            function(mine, *more)

        if self._pool is None or parts == 1:
            for part in range(parts):
                run(part)
        else:
            list(self._pool.map(run, range(parts)))


def _padded(vector: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(vector, (0, width - vector.shape[0]))
