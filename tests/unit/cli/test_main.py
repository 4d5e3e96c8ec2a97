"""The command line: what a person types, and what they read back."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from robot_agent.cli.main import COMMANDS, main
from robot_agent.cli.train import parse
from robot_agent.errors import RunError
from robot_agent.run.config import RunConfig, to_tree
from robot_agent.run.folder import RunFolder

ROOT = Path(__file__).parents[3]


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    paths = ":".join(str(ROOT / part) for part in (".", "kernels", "sim", "calibration", "bags"))
    return subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": paths}, capture_output=True, text=True, check=True
    )


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)
    assert main([]) == 0


def test_help_imports_no_torch():
    out = run_python(
        "import sys; from robot_agent.cli.main import main; main(['--help']); print('torch' in sys.modules)"
    ).stdout
    assert out.splitlines()[-1] == "False"


def test_help_answers_at_once():
    # CPU time: a busy machine must not fail it.
    code = "import time; from robot_agent.cli.main import main; main(['--help']); print(time.process_time())"
    assert min(float(run_python(code).stdout.splitlines()[-1]) for _ in range(3)) < 0.3


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_that_says_what_it_does(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert f"robot-agent {name}" in out
    assert len(out.splitlines()) > 5


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence on stderr of a command that must fail."""
    assert main(argv) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1, error
    assert error[0].startswith("robot-agent: error: ")
    return error[0]


def test_an_unknown_command_offers_the_nearest(capsys: pytest.CaptureFixture[str]):
    assert "did you mean train" in refused(["trian"], capsys)


def test_an_unknown_world_offers_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    argv = ["train", "--world", "dmc/cartpole-swing", "--out", str(tmp_path / "a")]
    assert "dmc/cartpole-swingup" in refused(argv, capsys)
    assert not (tmp_path / "a").exists()


def test_a_world_whose_action_space_is_no_box(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    argv = ["train", "--world", "gym/CartPole-v1", "--out", str(tmp_path / "a")]
    assert "expected a Box" in refused(argv, capsys)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("command", [["evaluate"], ["report"], ["replay-dump"]])
def test_a_folder_that_is_no_run(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert "not a run folder" in refused([*command, str(tmp_path)], capsys)


def test_a_folder_that_holds_a_run_already(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "config.yaml").write_text("world: x\n")
    assert "--resume" in refused(["train", "--out", str(tmp_path)], capsys)
    assert (tmp_path / "config.yaml").read_text() == "world: x\n"


def test_debug_shows_the_traceback(tmp_path: Path):
    from robot_agent.errors import RunError

    with pytest.raises(RunError):
        main(["--debug", "report", str(tmp_path)])


def test_flags_override_a_file_which_overrides_the_defaults(tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text("frames: 5000\nseed: 4\nagent:\n  planner:\n    search: {samples: 99, horizon: 4}\n")
    argv = ["--out", "x", "--config", str(file), "--seed", "7", "--agent.planner.search.horizon", "5"]
    config = parse(argv).run
    assert (config.frames, config.seed) == (5000, 7)
    assert (config.agent.planner.search.samples, config.agent.planner.search.horizon) == (99, 5)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("frame: 5\n", "unknown field 'frame'"),
        ("frames: many\n", "frames in the configuration is 'many'"),
        ("agent: 3\n", "expected a mapping"),
        ("- 1\n", "expected a mapping"),
        ("a: [\n", "cannot be read as YAML"),
    ],
)
def test_a_bad_configuration_file(text: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    assert sentence in refused(["train", "--out", str(tmp_path / "a"), "--config", str(file)], capsys)


def test_streams_choose_the_defaults():
    assert parse(["--out", "x"]).run.streams == ("proprio",)
    both = parse(["--out", "x", "--streams", "camera", "proprio"]).run
    assert set(both.streams) == {"camera", "proprio"}
    assert both.online.learner.batch_size < parse(["--out", "x"]).run.online.learner.batch_size


def test_resume_takes_the_run_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert "not a run folder" in refused(["train", "--resume", str(tmp_path)], capsys)


def test_worlds_lists_and_filters(capsys: pytest.CaptureFixture[str]):
    assert main(["worlds", "cartpole-swingup"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "dmc/cartpole-swingup",
        "dmc/cartpole-swingup_sparse",
    ]
    assert "leave the filter out" in refused(["worlds", "no such world"], capsys)


def test_random_scores_random_actions(capsys: pytest.CaptureFixture[str]):
    assert main(["random", "--world", "dmc/cartpole-swingup", "--episodes", "1"]) == 0
    assert "in 1 episode\n" in capsys.readouterr().out


def test_doctor_finds_that_this_machine_can_learn(capsys: pytest.CaptureFixture[str]):
    start = time.perf_counter()
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("python", "torch", "gpu", "camera GL", "ros", "cores", "disk"))
    assert time.perf_counter() - start < 60


def test_a_report_without_a_run_and_learning_in_another_world_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["report"]) == 2
    assert "report needs the folder of a run" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path), "--learn", "--world", "dmc/walker-walk"]) == 2
    assert "leave --world or --learn out" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path), "--learn", "--body", "calibration.yaml"]) == 2
    assert "leave --body or --learn out" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("robot-agent 0.")


def test_a_calibration_that_is_not_there_is_named(tmp_path, capsys):
    arguments = ["--world", "so101/reach", "--out", str(tmp_path / "run"), "--body", str(tmp_path / "missing.yaml")]
    assert main(["train", *arguments]) == 2
    assert "missing.yaml" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_remembers_its_calibration_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept: list[RunConfig] = []

    def noted(out: Path, config: RunConfig, *_: object, **__: object) -> None:
        kept.append(config)
        raise RunError("enough is seen")

    monkeypatch.setattr("robot_agent.cli.train.Life", noted)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--world", "so101/reach", "--body", "calibration.yaml", "--out", "run"]) == 2
    assert kept[0].body == str(tmp_path / "calibration.yaml")


def test_a_run_whose_calibration_is_named_from_where_it_began_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = RunFolder.create(tmp_path / "run")
    folder.write_config(to_tree(RunConfig(world="so101/reach", body="calibration.yaml")))
    kept: list[RunConfig] = []

    def noted(out: Path, config: RunConfig, *_: object, **__: object) -> None:
        kept.append(config)
        raise RunError("enough is seen")

    monkeypatch.setattr("robot_agent.cli.train.Life", noted)
    assert main(["train", "--resume", str(folder.path)]) == 2
    assert kept[0].body == "calibration.yaml"


HUGE = "99999999999999999999"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["train", "--out", "run", "--seed", HUGE], f"seed is {HUGE}, expected at most 4294967295"),
        (["train", "--out", "run", "--seeds", "0", HUGE], f"seed is {HUGE}, expected at most"),
        (["train", "--out", "run", "--seeds", "3", "3"], "--seeds are 3 3, expected each once"),
        (
            ["train", "--out", "run", "--camera-size", "100000", "100000"],
            "camera_size is 100000, expected at most 2048",
        ),
        (["train", "--out", "run", "--camera-size", "1", "64"], "camera_size is 1, expected at least 4"),
        (["train", "--out", "run", "--frames", "100", "--action-repeat", "100000"], "action_repeat is 100000"),
        (["train", "--out", "run", "--frames", "100", "--action-repeat", "101"], "one decision lasts 101 frames"),
        (["train", "--out", "run", "--frames", HUGE], f"frames is {HUGE}, expected at most"),
        (["train", "--out", "run", "--minutes", "nan"], "minutes is nan, expected a finite number"),
        (["train", "--out", "run", "--online.learner.batch-size", HUGE], "batch_size is"),
        (["train", "--out", "run", "--agent.mind.encoder.hidden", HUGE], "hidden is"),
        (["evaluate", "run", "--seed", HUGE], f"--seed is {HUGE}, expected at most"),
        (["evaluate", "run", "--seed", "-1"], "--seed is -1, expected at least 0"),
        (["evaluate", "run", "--episodes", HUGE], f"--episodes is {HUGE}"),
        (["evaluate", "run", "--longest-episode", "0"], "--longest-episode is 0, expected at least 1"),
        (["random", "--world", "gym/Pendulum-v1", "--seed", HUGE], f"--seed is {HUGE}"),
        (["random", "--world", "gym/Pendulum-v1", "--episodes", HUGE], f"--episodes is {HUGE}"),
        (["watch", "--world", "gym/Pendulum-v1", "--seed", HUGE], f"--seed is {HUGE}"),
        (["watch", "--world", "gym/Pendulum-v1", "--seconds", "nan"], "--seconds is nan"),
        (["sim2real", "run", "--reality", "sim:worn", "--seed", HUGE], f"--seed is {HUGE}"),
        (["sim2real", "run", "--reality", "sim:worn", "--clips", HUGE], f"--clips is {HUGE}"),
        (["sim2real", "run", "--reality", "sim:worn", "--learn-minutes", "inf"], "--learn-minutes is inf"),
        (["calibrate", "synthesize", "out", "--seed", HUGE], f"--seed is {HUGE}"),
        (["calibrate", "synthesize", "out", "--views", "0"], "--views is 0, expected at least 1"),
        (["calibrate", "synthesize", "out", "--noise", "nan"], "--noise is nan, expected a finite number"),
        (["calibrate", "excite", "out.csv", "--candidates", HUGE], f"--candidates is {HUGE}"),
        (["bench", "--plans", HUGE], f"--plans is {HUGE}"),
        (["bench", "--plans", "0"], "--plans is 0, expected at least 1"),
        (["import-bag", "bag", "--out", "run", "--camera-size", HUGE, "64"], f"--camera-size is {HUGE}"),
    ],
)
def test_a_number_beyond_all_reason_is_one_sentence(
    argv: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert sentence in refused(argv, capsys)
    assert not list(tmp_path.iterdir())


def test_what_a_foreign_world_gets_wrong_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    class Broken(gymnasium.Env):
        observation_space = action_space = gymnasium.spaces.Box(-1, 1, (2,))

        def reset(self, **_: object):
            return np.zeros(2, np.float32), {}

        def step(self, action: np.ndarray):
            return np.zeros(2, np.float32), "much", False, False, {}

    gymnasium.register("test/Broken-v0", entry_point=Broken)
    try:
        assert main(["train", "--world", "gym/test/Broken-v0", "--out", str(tmp_path / "run"), "--device", "cpu"]) == 2
        first, *error = capsys.readouterr().err.strip().splitlines()
        assert "plans by back end" in first
        assert error == ["robot-agent: error: the reward is 'much', expected one number"]
        assert not (tmp_path / "run").exists()
    finally:
        del gymnasium.registry["test/Broken-v0"]
