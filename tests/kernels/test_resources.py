"""What each kernel takes of a GPU, compiled without one, against what was last accepted.

After a change that is meant: `python -m robot_agent_kernels.bench.resources` with each version of Triton, into
`tests/kernels/resources.csv`.
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")
ROOT = Path(__file__).parents[2]
OLDEST = ROOT / ".venv" / "triton-3.6"
"""Where `make test` puts the oldest supported version, beside the one that is installed."""

Key = tuple[str, str, str, str]


def read(text: str) -> dict[Key, dict[str, str]]:
    return {(row["kernel"], row["size"], row["arch"], row["triton"]): row for row in csv.DictReader(io.StringIO(text))}


def compile_all(version: str, cache: Path) -> dict[Key, dict[str, str]]:
    """In a process of its own: this one may have been told to interpret kernels."""
    paths = [str(OLDEST)] if version == "3.6" else []
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"PYTHONPATH": os.pathsep.join([*paths, str(ROOT / "kernels")]), "TRITON_CACHE_DIR": str(cache)}
    environment["TRITON_DEFAULT_FP_FUSION"] = "1"
    command = [sys.executable, "-m", "robot_agent_kernels.bench.resources"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return read(done.stdout)


@pytest.mark.parametrize("version", ["3.6", "3.9"])
def test_no_kernel_takes_more_than_was_accepted(version: str, tmp_path: Path):
    if version == "3.6" and not OLDEST.exists():
        pytest.skip("Triton 3.6 is not beside the environment: make test installs it")
    accepted = {key: row for key, row in read((ROOT / "tests/kernels/resources.csv").read_text()).items()
                if key[3] == version}  # fmt: skip
    found = compile_all(version, tmp_path)
    assert {key[3] for key in found} == {version}, "another Triton than the table's: compile it anew"
    assert found.keys() == accepted.keys()
    limits = {"80": 166_912, "90": 232_448}
    for key, row in found.items():
        before = accepted[key]
        assert int(row["registers"]) <= int(before["registers"]), key
        assert int(row["stack"]) <= int(before["stack"]), key
        assert int(row["shared"]) <= min(int(before["shared"]), limits[key[2]]), key
        for unit in ("hmma", "hgmma"):
            assert (int(row[unit]) > 0) == (int(before[unit]) > 0), key
    fleet = [row for key, row in found.items() if key[1].startswith("fleet") and key[2] == "90"]
    assert fleet
    assert all(int(row["hgmma"]) > 0 for row in fleet)
