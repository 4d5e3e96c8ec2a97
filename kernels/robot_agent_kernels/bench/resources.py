"""What each Triton kernel takes of a GPU, found by compiling it without one.

    python -m robot_agent_kernels.bench.resources --arch 80 90

One line a kernel, size and architecture: registers and stack bytes of a thread (spilled registers lie on the stack),
shared memory of a program, and how many matrix instructions of each kind it has (HGMMA is sm_90's).
`tests/kernels/resources.csv` holds what was last accepted.
"""

from __future__ import annotations

import argparse
import csv
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from robot_agent_kernels.mlp.triton import ENDINGS, layer_kernel
from robot_agent_kernels.mppi.triton import members_kernel, refit_kernel, sample_kernel
from robot_agent_kernels.rollout.launch import tile_for
from robot_agent_kernels.rollout.triton import latent_kernel, propose_kernel, total_kernel

SHARED_LIMIT = {80: 166_912, 90: 232_448}
"""Bytes of shared memory a program can have, by architecture; the compiler does not check."""


@dataclass(frozen=True)
class Resources:
    """Of one compiled kernel."""

    kernel: str
    size: str
    arch: int
    triton: str
    registers: int
    stack: int
    shared: int
    hmma: int
    hgmma: int


def layer(rows: int, inputs: int, outputs: int, ending: str, has_action: bool = False) -> dict[str, Any]:
    """The constants with which a layer of these sizes is launched."""
    tile = tile_for(rows, outputs, inputs)
    return {
        "ENDING": ENDINGS[ending],
        "ACTIVATION": 2,
        "HAS_X": True,
        "HAS_ACTION": has_action,
        "GROUPS": outputs // 8 if ending == "simplex" else 1,
        "PRECISION": "tf32",
        "BLOCK_M": tile.rows,
        "BLOCK_N": max(16, triton.next_power_of_2(outputs)),
        "BLOCK_K": tile.inputs,
        "BLOCK_A": 16,
        "num_warps": tile.warps,
        "num_stages": tile.stages,
    }


LATENT = {"CHANNELS": 0, "FIRST": False, "num_warps": 4, "num_stages": 3}
REFIT = {"BLOCK_J": 16, "BLOCK_U": 16, "num_warps": 8, "num_stages": 3}
DRAWING = {"HAS_NOISE": False, "num_warps": 4, "num_stages": 3}
CASES: dict[str, tuple[Any, dict[str, dict[str, Any]]]] = {
    "layer": (
        layer_kernel,
        {
            "default first": layer(168, 64, 192, "hidden", has_action=True),
            "default hidden": layer(168, 192, 192, "hidden"),
            "default reward": layer(168, 192, 101, "two_hot"),
            "published first": layer(512, 512, 512, "hidden", has_action=True),
            "published hidden": layer(512, 512, 512, "hidden"),
            "published latent": layer(512, 512, 512, "simplex"),
            "published reward": layer(512, 512, 101, "two_hot"),
            "fleet first": layer(131_072, 512, 512, "hidden", has_action=True),
            "fleet hidden": layer(131_072, 512, 512, "hidden"),
            "fleet reward": layer(131_072, 512, 101, "two_hot"),
        },
    ),
    "latent": (
        latent_kernel,
        {
            "default": {**LATENT, "HEADS": 2, "BLOCK_M": 4, "BLOCK_C": 8, "BLOCK_G": 8},
            "large": {**LATENT, "HEADS": 2, "BLOCK_M": 1, "BLOCK_C": 16, "BLOCK_G": 128},
            "codes": {**LATENT, "HEADS": 2, "CHANNELS": 2, "BLOCK_M": 4, "BLOCK_C": 16, "BLOCK_G": 32},
        },
    ),
    "total": (total_kernel, {"any": {"HAS_TERMINATION": True, "BLOCK": 128, "num_warps": 4, "num_stages": 3}}),
    "propose": (propose_kernel, {"any": {**DRAWING, "BLOCK_M": 16, "BLOCK_A": 8}}),
    "sample": (sample_kernel, {"any": {**DRAWING, "BLOCK_S": 32, "BLOCK_A": 8}}),
    "members": (members_kernel, {"any": {"BLOCK": 8, "num_warps": 4, "num_stages": 3}}),
    "refit": (
        refit_kernel,
        {
            "default": {**REFIT, "HAS_NOISE": False, "BLOCK_S": 64},
            "published": {**REFIT, "HAS_NOISE": False, "BLOCK_S": 512},
        },
    ),
}
OPERANDS = {"x", "weight", "action_weight", "latent"}
"""Pointers to bfloat16; an output is so where another layer reads it."""
FLOATS = {"scale", "discount", "lowest_log_std", "highest_log_std", "correlation", "innovation", "temperature"}
FLOATS |= {"coefficient", "lowest_std", "highest_std"}
COUNTS = {
    *("x_member_stride", "x_stride", "inputs", "action_robot_stride", "action_stride", "action_dim", "row_count"),
    *(
        "first_robot_stride",
        "samples",
        "outputs",
        "groups",
        "codes",
        "candidates",
        "horizon",
        "members",
        "robot_stride",
    ),
    *("row_stride", "step", "stream", "ensemble", "count", "units", "elites"),
}


def signature(kernel: Any, constants: dict[str, Any]) -> dict[str, str]:
    """The type of each parameter."""
    types = {}
    for name in kernel.arg_names:
        if name in constants:
            types[name] = "constexpr"
        elif name in COUNTS:
            types[name] = "i32"
        elif name in FLOATS:
            types[name] = "fp32"
        elif name == "seed":
            types[name] = "*i64"
        elif name == "drawn":
            types[name] = "*i32"
        elif name in OPERANDS or (name == "out" and constants["ENDING"] in (1, 2, 4)):
            types[name] = "*bf16"
        else:
            types[name] = "*fp32"
    return types


def compiled(name: str, size: str, arch: int) -> Resources:
    """Compiles a case.

    Raises:
        RuntimeError: a tool of the compiler failed.
    """
    kernel, sizes = CASES[name]
    constants = dict(sizes[size])
    options = {"num_warps": constants.pop("num_warps"), "num_stages": constants.pop("num_stages")}
    types = signature(kernel, constants)
    # As at a launch with sizes that are multiples of 16 and memory from torch.
    aligned = {
        (index,): [["tt.divisibility", 16]]
        for index, parameter in enumerate(kernel.arg_names)
        if types[parameter].startswith("*") or parameter in ("inputs", "x_stride", "x_member_stride", "row_count")
    }
    source = ASTSource(fn=kernel, signature=types, constexprs=constants, attrs=aligned)
    built = triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options)
    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "kernel.cubin"
        binary.write_bytes(built.asm["cubin"])
        usage = _output(tools / "cuobjdump", "--dump-resource-usage", binary)
        code = _output(tools / "cuobjdump", "-sass", binary)
    found = re.search(r"REG:(\d+) STACK:(\d+)", usage)
    if found is None:
        raise RuntimeError(f"cuobjdump gives no registers of {name}: {usage[:200]}")
    return Resources(
        name,
        size,
        arch,
        ".".join(triton.__version__.split(".")[:2]),
        int(found[1]),
        int(found[2]),
        int(built.metadata.shared),
        len(re.findall(r"\bHMMA\b", code)),
        len(re.findall(r"\bHGMMA\b", code)),
    )


def _output(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()[:200]}")
    return done.stdout


def table(archs: list[int]) -> Iterator[Resources]:
    """All cases on all architectures."""
    for name, (_, sizes) in CASES.items():
        for size in sizes:
            for arch in archs:
                yield compiled(name, size, arch)


def main() -> None:
    """Prints the table as CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", type=int, nargs="+", default=[80, 90], choices=sorted(SHARED_LIMIT))
    writer = csv.DictWriter(sys.stdout, [field.name for field in fields(Resources)])
    writer.writeheader()
    for line in table(parser.parse_args().arch):
        writer.writerow(asdict(line))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
