"""Every command and every line of code in the documents works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from robot_agent.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.DOTALL)


def commands() -> list[tuple[str, str]]:
    return [
        (page.name, line)
        for page in PAGES
        for block in blocks(page, "bash")
        for line in block.splitlines()
        if line.strip() and not line.startswith("#")
    ]


def test_there_are_commands_to_check():
    assert len(commands()) >= 10


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_of_the_documents_is_accepted(page: str, line: str, monkeypatch: pytest.MonkeyPatch):
    program, *args = shlex.split(line)
    if program == "make":
        verbs = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
        assert args[0] in verbs
        return
    assert program == "robot-agent", f"{page}: no check for {line!r}"
    assert args[0] in COMMANDS
    if "--resume" in args:
        monkeypatch.setattr("robot_agent.cli.train._base_config", lambda argv: import_config().RunConfig())
    import_module(f"robot_agent.cli.{args[0].replace('-', '_')}").parse(args[1:])


def import_config():
    return import_module("robot_agent.run.config")


def test_the_library_example_of_the_readme_runs(tmp_path: Path):
    (code,) = blocks(ROOT / "README.md", "python")
    assert len(code.splitlines()) <= 20
    script = tmp_path / "example.py"
    script.write_text(code.replace("20_000", "250"))
    paths = os.pathsep.join(
        str(ROOT / part) for part in (".", "kernels", "sim", "bodies", "ros_nodes", "calibration", "bags")
    )
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert "'frames': 250" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_are_there(page: Path):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target
