"""`robot-agent watch`: what a browser gets, what a video holds, and what is refused."""

from __future__ import annotations

import io
import os
import queue
import re
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import gymnasium
import imageio_ffmpeg
import numpy as np
import pytest
import robot_agent_sim
from matplotlib.image import imread

from robot_agent.agent import Agent
from robot_agent.cli import watch
from robot_agent.cli.main import main
from robot_agent.cli.screen import Screen
from robot_agent.evaluation.evaluate import evaluate
from robot_agent.run.life import Life
from robot_agent.run.load import load_agent
from robot_agent.types import BodySpec
from tests.small import ONLINE, run_config
from tests.worlds import PointMass, Reach

GREY = np.full((16, 24, 3), 120, np.uint8)


class Noted(PointMass):
    """A point mass that is shown larger, and keeps the actions and the starts of its latest life."""

    actions: list[np.ndarray]
    starts: list[np.ndarray]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        Noted.actions, Noted.starts = [], []

    def reset(self, **options: Any):
        started = super().reset(**options)
        Noted.starts.append(self.position.copy())
        return started

    def step(self, action: np.ndarray):
        Noted.actions.append(np.array(action))
        return super().step(action)


@pytest.fixture
def point(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every world is a point mass with episodes of 12 steps of 0.1 s."""
    monkeypatch.setattr(robot_agent_sim, "make", lambda world, **options: Noted(length=12))


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose agent has learned a little."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    config = run_config(world="test", frames=90, online=replace(ONLINE, random_decisions=60))
    assert Life(folder, config, PointMass).live()["frames"] == 90
    return folder


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence on stderr of a command that must fail."""
    assert main(["watch", *argv]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    return line.removeprefix("robot-agent: error: ")


def pictures_of(video: Path) -> int:
    return int(imageio_ffmpeg.count_frames_and_secs(str(video))[0])


# ---- a video ----


@pytest.mark.usefixtures("point")
def test_a_video_has_one_picture_a_decision_and_lasts_as_long_as_the_world(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "new" / "point.mp4"
    assert main(["watch", "--world", "a/point", "--out", str(out), "--seconds", "3"]) == 0
    assert imageio_ffmpeg.count_frames_and_secs(str(out)) == (30, pytest.approx(3.0))
    assert capsys.readouterr().out == f"3.0 s of a/point in {out}\n"
    assert [len(Noted.actions), len(Noted.starts)] == [30, 3], "episodes follow one another"


@pytest.mark.usefixtures("point")
def test_random_actions_are_uniform_and_follow_from_the_seed(tmp_path: Path):
    lives = []
    for seed in ("0", "0", "1"):
        argv = ["watch", "--world", "a/point", "--out", str(tmp_path / "a.mp4"), "--seed", seed, "--seconds", "20"]
        assert main(argv) == 0
        lives.append((np.array(Noted.actions), np.array(Noted.starts)))
    (actions, starts), (same_actions, same_starts), (other_actions, other_starts) = lives
    assert np.array_equal(actions, same_actions)
    assert np.array_equal(starts, same_starts)
    assert not np.any(actions == other_actions)
    assert not np.any(starts == other_starts)
    assert np.abs(actions).max() <= 1
    assert np.allclose(actions.std(0), 1 / np.sqrt(3), atol=0.06)
    assert np.allclose(actions.mean(0), 0, atol=0.1)


def test_a_world_made_here_is_filmed_as_it_renders_itself(tmp_path: Path):
    out = tmp_path / "rover.mp4"
    assert main(["watch", "--world", "rover/goal", "--out", str(out), "--seconds", "0.5"]) == 0
    assert pictures_of(out) == 5
    shown = imageio_ffmpeg.read_frames(str(out))
    assert next(shown)["size"] == (320, 240)
    first = np.frombuffer(next(shown), np.uint8).reshape(240, 320, 3)
    shown.close()
    env = robot_agent_sim.make("rover/goal")
    env.reset(seed=0)
    colours = [image.reshape(-1, 3).mean(0) for image in (first, env.render())]
    env.close()
    assert np.allclose(*colours, atol=12)


def test_a_measured_body_is_the_one_that_is_shown(learned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[Any, Any]] = []

    def make(world: str, **options: Any) -> gymnasium.Env:
        asked.append((options["body"], options.get("randomise", False)))
        return PointMass()

    monkeypatch.setattr(robot_agent_sim, "make", make)
    for who in (["--world", "test"], ["--policy", str(learned)]):
        argv = ["watch", *who, "--body", "c.yaml", "--seconds", "0.2", "--out", str(tmp_path / "a.mp4")]
        assert main(argv) == 0
    assert asked == [("c.yaml", False), ("c.yaml", False)]


# ---- a run's agent ----


@pytest.mark.usefixtures("point")
def test_the_agent_of_a_run_acts_as_in_an_evaluation_and_its_folder_stays_as_it_is(learned: Path, tmp_path: Path):
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in learned.rglob("*")}
    out = tmp_path / "a.mp4"
    assert main(["watch", "--policy", str(learned), "--seed", "5", "--seconds", "1.2", "--out", str(out)]) == 0
    watched = Noted.actions
    body = Noted(length=12)
    agent = load_agent(learned, BodySpec.from_env(body))[0]
    assert agent.weights_version > 0
    evaluate(agent, body, 1, seed=5, render=False, measure_latent=False)
    assert np.array_equal(watched, Noted.actions)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in learned.rglob("*")} == before


def test_a_run_decides_how_the_world_is_built_unless_another_world_is_named(
    learned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[tuple[str, Any]] = []

    def make(world: str, **options: Any) -> gymnasium.Env:
        asked.append((world, options["streams"]))
        return PointMass()

    monkeypatch.setattr(robot_agent_sim, "make", make)
    for world in ([], ["--world", "other/point"]):
        argv = ["watch", "--policy", str(learned), *world, "--seconds", "0.2", "--out", str(tmp_path / "a.mp4")]
        assert main(argv) == 0
    assert asked == [("test", ("proprio",)), ("other/point", ("proprio",))]


# ---- live ----


def boundary_of(answer: HTTPResponse) -> bytes:
    kind = answer.headers["Content-Type"]
    assert kind.startswith("multipart/x-mixed-replace")
    return b"--" + kind.partition("boundary=")[2].encode()


def jpegs_of(answer: HTTPResponse) -> Iterator[bytes]:
    """The pictures of an MJPEG stream, read as RFC 2046 says."""
    boundary = boundary_of(answer)
    assert answer.readline().strip() == b""
    while (line := answer.readline()).strip() == boundary:
        length = 0
        while (header := answer.readline()) != b"\r\n":
            if not header:
                return  # the stream has ended between two pictures
            name, _, value = header.partition(b": ")
            if name == b"Content-Length":
                length = int(value)
        yield answer.read(length)
        assert answer.readline() == b"\r\n"
    raise AssertionError(f"{line!r} after a picture")


def colours(jpeg: bytes) -> np.ndarray:
    return np.asarray(imread(io.BytesIO(jpeg), format="jpeg"), float)


def test_the_page_has_the_pictures_in_their_order_and_nothing_else():
    with Screen("so101/<reach>", 0) as screen:
        with urllib.request.urlopen(screen.url, timeout=5) as answer:
            page = answer.read().decode()
        assert "so101/&lt;reach&gt;" in page
        assert "<reach>" not in page
        (source,) = re.findall(r'<img src="/([^"]+)"', page)
        screen.show(GREY)
        with urllib.request.urlopen(screen.url + source, timeout=5) as answer:
            stream = jpegs_of(answer)
            first = colours(next(stream))
            screen.show(GREY // 2)
            second = colours(next(stream))
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(screen.url + "etc/passwd", timeout=5)
    assert first.shape == second.shape == GREY.shape
    assert np.allclose(first, 120, atol=2)
    assert np.allclose(second, 60, atol=2)


def test_a_closed_screen_ends_its_streams_and_frees_its_port():
    screen = Screen("a", 0)
    screen.show(GREY)
    port = int(screen.url.rstrip("/").rpartition(":")[2])
    with urllib.request.urlopen(screen.url + "pictures", timeout=5) as answer:
        stream = jpegs_of(answer)
        next(stream)
        screen.close()
        assert list(stream) == []
    with socket.socket() as other, pytest.raises(ConnectionError):
        other.connect(("127.0.0.1", port))
    Screen("b", port).close()


def test_only_this_machine_can_look():
    with Screen("a", 0) as screen:
        assert screen._server.server_address[0] == "127.0.0.1"


def test_a_browser_that_has_left_or_is_slow_delays_nobody():
    with Screen("a", 0) as screen:
        screen.show(GREY)
        urllib.request.urlopen(screen.url + "pictures", timeout=5).close()
        with urllib.request.urlopen(screen.url + "pictures", timeout=5):  # never reads
            noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)
            start = time.process_time()
            for _ in range(100):  # more than the socket holds
                screen.show(noise)
            assert time.process_time() - start < 5


@pytest.mark.usefixtures("point")
def test_a_show_is_in_real_time_and_ctrl_c_ends_it_as_a_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    urls: queue.Queue[str] = queue.Queue()
    seen: list[tuple[float, bytes]] = []

    class Announced(Screen):
        def __init__(self, title: str, port: int) -> None:
            super().__init__(title, port)
            urls.put(self.url)

    def browse() -> None:
        with suppress(OSError), urllib.request.urlopen(urls.get(timeout=20) + "pictures", timeout=5) as answer:
            for jpeg in jpegs_of(answer):
                seen.append((time.perf_counter(), jpeg))
                if len(seen) == 8:
                    break
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(watch, "Screen", Announced)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored
    browser = threading.Thread(target=browse)
    browser.start()
    status = main(["watch", "--world", "a/point", "--port", "0", "--seconds", "30"])
    browser.join()
    assert status == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert re.match(r"a/point is at http://127\.0\.0\.1:\d+/ \(Ctrl-C ends it\)\n", captured.out)
    assert re.search(r"\n\d\.\d s of a/point in \d\.\d s\n$", captured.out)
    assert len({jpeg for _, jpeg in seen}) > 1, "the world moves"
    assert seen[-1][0] - seen[1][0] > 0.8 * 6 * 0.1, "not faster than real time"
    assert len(Noted.actions) < 40


@pytest.mark.usefixtures("point")
def test_a_show_may_end_by_itself(capsys: pytest.CaptureFixture[str]):
    start = time.perf_counter()
    assert main(["watch", "--world", "a/point", "--port", "0", "--seconds", "0.3"]) == 0
    assert time.perf_counter() - start >= 0.3
    assert len(Noted.actions) == 3
    assert "0.3 s of a/point in " in capsys.readouterr().out


# ---- refusals ----


def test_an_unknown_world_offers_the_nearest(capsys: pytest.CaptureFixture[str]):
    assert "did you mean so101/reach" in refused(["--world", "so101/reech"], capsys)


def test_a_world_without_pictures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(robot_agent_sim, "make", lambda world, **options: Reach())
    assert "a/reach has no pictures to show" in refused(["--world", "a/reach"], capsys)


def test_a_run_of_another_body(learned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "never.mp4"
    sentence = refused(["--policy", str(learned), "--world", "so101/reach", "--out", str(out)], capsys)
    assert "is of a body with" in sentence
    assert not out.exists()


def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(robot_agent_sim, "make", lambda world, **options: PointMass())
    monkeypatch.setattr(watch, "Agent", lambda spec, seed: Agent(spec, run_config().agent, seed))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        sentence = refused(["--world", "a/point", "--port", str(port)], capsys)
    assert f"cannot listen on port {port} (Address already in use): choose another --port" in sentence


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "there is nothing to watch"),
        (["--policy", "runs/none"], "--policy is runs/none, expected random or the folder of a run"),
        (["--policy", "tests"], "tests is not a run folder"),
        (["--world", "rover/goal", "--seconds", "0"], "--seconds is 0.0, expected more than 0"),
        (["--world", "rover/goal", "--seconds", "nan"], "--seconds is nan"),
        (["--world", "rover/goal", "--seconds", "inf"], "--seconds is inf"),
        (["--world", "rover/goal", "--port", "70000"], "--port is 70000, expected at most 65535"),
        (["--world", "rover/goal", "--seed", "-1"], "--seed is -1, expected at least 0"),
        (["--world", "rover/goal", "--out", "a.gif"], "--out is a.gif, expected the name of a file that ends with"),
        (["--world", "rover/goal", "--out", "/proc/none/a.mp4"], "cannot write /proc/none/a.mp4"),
        (["--world", "rover/goal", "--out", "a.mp4", "--seconds", "1e300"], "expected at most 3600 for a video"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_sentence(
    argv: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").mkdir()
    assert sentence in refused(argv, capsys)
    assert not list(tmp_path.glob("a.*"))
