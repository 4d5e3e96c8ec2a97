"""What every test relies on: one thread, GL before MuJoCo, Triton before GL, and an honest count of GPU tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("OMP_NUM_THREADS", "1")
if not os.path.exists("/dev/nvidia0"):
    os.environ.setdefault("TRITON_INTERPRET", "1")  # kernels run on the CPU; read when triton is imported
with contextlib.suppress(ImportError):
    import triton  # noqa: F401  (after a Mesa GL context exists, importing it crashes the process)

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("tests", derandomize=True, deadline=None, max_examples=30)
settings.load_profile("tests")


@pytest.fixture(autouse=True)
def _leaves_the_process_as_it_was() -> Iterator[None]:
    """A life sets its process up for small networks (robot_agent/device.py); the next test starts without that."""
    yield
    torch.set_num_threads(1)
    torch.set_flush_denormal(False)


NO_GPU = "no CUDA device: run on a machine with a GPU"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    if os.environ.get("REQUIRE_GPU") == "1":
        if any("gpu" in item.keywords for item in items):
            raise pytest.UsageError("REQUIRE_GPU=1 and torch sees no GPU: unset it, or run on a machine with one")
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason=NO_GPU))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if NO_GPU in str(report.longrepr)]
    terminalreporter.write_line(f"GPU tests not run: {len(skipped)}")
