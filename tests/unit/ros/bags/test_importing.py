"""A recording becomes the transitions that were lived, and a learner learns from them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from robot_agent_bags.bag import Bag as Recorded
from robot_agent_bags.bag import read_messages
from robot_agent_bags.errors import BagError
from robot_agent_ros.agent import mind
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.bags import importing
from robot_agent_ros.bags.importing import import_bag
from robot_agent_ros.errors import ParameterError
from robot_agent_ros.graph import CAMERA_INFO, GOAL, IMAGE, JOINT_STATES, TWIST_COMMAND, Topic
from robot_agent_ros.messages.images import fill_image
from robot_agent_ros.recorder.bag import Bag, Channel

from robot_agent.cli.main import main
from robot_agent.learning.learner import LearnerConfig
from robot_agent.learning.online import OnlineConfig, OnlineLearner
from robot_agent.learning.weight_store import LocalWeightStore
from robot_agent.replay.replay import Replay
from robot_agent.types import BodySpec, Source
from tests.ros_wire import blank, put
from tests.small import MIND
from tests.unit.ros.bags.recordings import START, Recording, fill_lens

CONFIG = AgentConfig(world="servo-arm/reach", camera_size=(12, 16))


def rows_of(folder: Path) -> np.ndarray:
    return np.concatenate([segment.read() for segment in Replay(folder / "replay").segments.values()])


def test_every_decision_comes_back_with_what_it_was_about_and_what_came_of_it(tmp_path: Path):
    lived = Recording(tmp_path / "bag", 60, goal_every=1000)
    done = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG, source=Source.HUMAN)
    assert done.transitions == 59  # nobody saw what came of the last one
    assert not done.report.refused
    rows = rows_of(tmp_path / "run")
    rows = rows[~rows["is_final"]]
    moved = np.diff(np.array(lived.commands), axis=0)[:58] / 0.1
    np.testing.assert_allclose(rows["action"][1:59], moved, atol=1e-4)
    np.testing.assert_allclose(rows["proprio"][:, :3], lived.positions[:59], atol=1e-6)
    np.testing.assert_allclose(rows["proprio"][1:, 6:], lived.commands[:58], atol=1e-6)
    np.testing.assert_allclose(rows["proprio"][1:, 3:6], lived.velocities[1:59], atol=1e-3)
    np.testing.assert_array_equal(rows["camera/overhead"][:, 0, 0, 0], lived.frames[:59])
    np.testing.assert_array_equal(rows["reward"], np.arange(1, 60))
    assert rows["reward_known"].all()
    assert rows["valid"].all()
    assert set(rows["source"]) == {Source.HUMAN}
    np.testing.assert_allclose(rows["dt"][:58], np.diff(rows["stamp"]), atol=0.006)  # pictures come every 5 ms
    assert rows["dt"].mean() == pytest.approx(1 / 30, rel=0.02)
    assert START < rows["stamp"][0] < START + 0.1
    assert np.all(np.diff(rows["stamp"]) > 0.02)
    assert not rows["terminated"].any()


@pytest.mark.parametrize("row", [TWIST_COMMAND, Topic("cmd_vel", "geometry_msgs/Twist", "command", "user", (), "")])
def test_a_rovers_twists_come_back_as_the_speeds_of_its_wheels(tmp_path: Path, row: Topic):
    actions = np.random.default_rng(0).uniform(-1, 1, (12, 2))
    bag = Bag(tmp_path / "bag")
    for index, (left, right) in enumerate(0.04 * 15 * actions):  # m/s of each wheel
        now = START + 0.1 * index
        joints = blank(JOINT_STATES, now)
        joints.name, joints.position = ["right_wheel", "left_wheel"], [0.2 * index, 0.1 * index]
        put(bag, JOINT_STATES, joints, now + 0.001)
        image = blank(IMAGE, now)
        fill_image(image, np.full((12, 16, 3), index, np.uint8))
        info = blank(CAMERA_INFO, now)
        fill_lens(info, 12, 16)
        put(bag, CAMERA_INFO, info, now + 0.002)
        put(bag, IMAGE, image, now + 0.002)
        message = blank(row, now + 0.005 if row is TWIST_COMMAND else None)
        twist = message.twist if row is TWIST_COMMAND else message
        twist.linear.x, twist.angular.z = (left + right) / 2, (right - left) / 0.17
        put(bag, row, message, now + 0.006)
    bag.close()
    import_bag(tmp_path / "bag", tmp_path / "run", replace(CONFIG, world="rover/goal"))
    rows = rows_of(tmp_path / "run")
    rows = rows[~rows["is_final"]]
    np.testing.assert_allclose(rows["action"], actions[:11], atol=1e-6)
    np.testing.assert_allclose(rows["proprio"][2:, :2], np.tile([1.0, 2.0], (9, 1)), atol=1e-4)
    np.testing.assert_allclose(rows["proprio"][1:, 2:], 15 * actions[:10], atol=1e-4)
    np.testing.assert_array_equal(rows["camera/front"][:, 0, 0, 0], np.arange(11))
    assert not rows["reward_known"].any()


def test_the_achieved_goal_is_where_the_tip_was(tmp_path: Path):
    Recording(tmp_path / "bag", 30, goal_every=10)
    import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    rows = rows_of(tmp_path / "run")
    said = [list(one.message.data) for one in read_messages(tmp_path / "bag", {"/agent/goal"})]
    assert len(said) >= 3
    np.testing.assert_allclose(
        np.unique(rows["desired_goal"], axis=0), np.unique(np.float32(said), axis=0)[:], atol=1e-6
    )
    reach = np.linalg.norm(rows["achieved_goal"] - (0, 0, 0.1), axis=1)
    assert np.all((reach > 0.05) & (reach < 0.31))
    assert len(np.unique(rows["episode"])) >= 3  # a goal that changes cuts an episode
    assert np.count_nonzero(rows["is_final"]) == np.count_nonzero(rows["truncated"])


def test_a_pause_ends_an_episode_and_joins_nothing(tmp_path: Path):
    Recording(tmp_path / "bag", 40, pause_at=20, goal_every=1000)
    done = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    rows = rows_of(tmp_path / "run")
    assert done.episodes == Replay(tmp_path / "run" / "replay").episodes == 2
    assert done.transitions == 38
    for episode in np.unique(rows["episode"]):
        stamps = rows["stamp"][(rows["episode"] == episode) & ~rows["is_final"]]
        assert np.diff(stamps).max() < 0.05
    assert done.report.clipped == 0


@pytest.mark.parametrize(("reward", "known"), [("recorded", False), ("none", False), ("world", True)])
def test_rewards_that_nobody_gave_are_unknown_unless_the_world_gives_them(tmp_path: Path, reward: str, known: bool):
    Recording(tmp_path / "bag", 20, rewards=False)
    done = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG, reward)
    rows = rows_of(tmp_path / "run")
    rows = rows[~rows["is_final"]]
    assert set(rows["reward_known"]) == {known}
    assert done.report.rewards == (len(rows) if known else 0)
    if known:
        assert np.all((rows["reward"] > 0) & (rows["reward"] <= 1))


def test_a_learner_learns_from_what_was_recorded(tmp_path: Path):
    Recording(tmp_path / "bag", 80)
    import_bag(tmp_path / "bag", tmp_path / "run", CONFIG, "world")
    spec = next(iter(Replay(tmp_path / "run" / "replay").segments.values())).spec
    assert spec == BodySpec((("overhead", (12, 16)),), 9, 3, 3, 1 / 30, 1)
    config = OnlineConfig(random_decisions=10, learner=LearnerConfig(batch_size=16))
    mind = replace(MIND, encoder=replace(MIND.encoder, frame_stack=2))
    learner = OnlineLearner(spec, mind, config, Replay(tmp_path / "run" / "replay"), LocalWeightStore())
    assert learner.owed(79) > 20
    before = {name: value.clone() for name, value in learner.learner.mind.state_dict().items()}
    for _ in range(20):
        learner.update()
    after = learner.learner.mind.state_dict()
    assert learner.learner.updates == 20
    assert learner.learner.skipped_updates == 0
    assert any(not value.equal(after[name]) for name, value in before.items() if name.startswith("world_model"))


def test_a_robot_that_no_world_is_of_is_described_by_its_parameter_file(tmp_path: Path, capsys: pytest.CaptureFixture):
    Recording(tmp_path / "bag", 20)
    file = tmp_path / "arm.yaml"
    file.write_text(
        "/**/agent:\n  ros__parameters:\n    joints: [turn, shoulder, elbow]\n    lower: [-1.2, 0.0, 0.2]\n"
        "    upper: [1.2, 1.3, 1.8]\n    largest_change: 0.1\n    control_rate: 30.0\n    streams: [proprio]\n"
    )
    args = ["import-bag", str(tmp_path / "bag"), "--out", str(tmp_path / "run"), "--parameters", str(file)]
    assert main(args) == 0
    assert "19 transitions" in capsys.readouterr().out
    spec = next(iter(Replay(tmp_path / "run" / "replay").segments.values())).spec
    assert (spec.cameras, spec.proprio_dim, spec.action_dim, spec.goal_dim) == ((), 9, 3, 0)


def test_a_second_recording_is_a_further_segment(tmp_path: Path):
    Recording(tmp_path / "bag", 20)
    one = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    again = import_bag(tmp_path / "bag", tmp_path / "run", AgentConfig())  # the run knows its world
    replay = Replay(tmp_path / "run" / "replay")
    assert len(replay.segments) == 2
    assert replay.decisions == one.transitions + again.transitions
    episodes = [set(segment.rows["episode"]) for segment in replay.segments.values()]
    assert not episodes[0] & episodes[1]


def test_the_robot_of_a_namespace_is_found_there(tmp_path: Path):
    Recording(tmp_path / "bag", 20, namespace="/left")
    with pytest.raises(BagError, match="nothing on /joint_states, only on /left/agent/command"):
        import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    assert import_bag(tmp_path / "bag", tmp_path / "run", CONFIG, namespace="left").transitions == 19


def test_garbage_in_a_recording_costs_only_the_decisions_that_it_touches(tmp_path: Path):
    lived = Recording(tmp_path / "bag", 20)
    broken = Bag(tmp_path / "broken")
    for one in read_messages(tmp_path / "bag"):
        message = one.message
        from robot_agent_ros.graph import TOPICS

        topic = next(row for row in TOPICS if one.topic == f"/{row.name}")
        if topic.name == "joint_states" and 0.3 < one.received - START < 0.4:
            message.position = [message.position[0], float("nan"), message.position[2]]
        put(broken, topic, message, one.received)
    put(broken, GOAL, blank(GOAL), START + 100)
    broken.close()
    done = import_bag(tmp_path / "broken", tmp_path / "run", CONFIG)
    assert 0 < sum(done.report.refused.values()) < 8
    assert "joints_unreadable" in done.report.refused
    assert len(lived.actions) - 12 < done.transitions < len(lived.actions) - 2
    rows = rows_of(tmp_path / "run")
    assert rows["valid"].all()


def test_what_is_lost_of_a_damaged_recording_is_said(tmp_path: Path, capsys: pytest.CaptureFixture):
    Recording(tmp_path / "bag", 20)
    (file,) = (tmp_path / "bag").glob("*.mcap")
    file.write_bytes(file.read_bytes()[:-1500])
    args = ["import-bag", str(file), "--out", str(tmp_path / "run"), "--world", "servo-arm/reach"]
    assert main(args) == 0
    said = capsys.readouterr().out
    assert f"damaged: {file}: " in said
    assert f"{Recorded(file).count} whole messages before that are kept" in said


def test_the_command_needs_no_ros(tmp_path: Path):
    Recording(tmp_path / "bag", 20)
    code = (
        "import sys\n"
        "for name in ('rclpy', 'sensor_msgs', 'std_msgs', 'rosidl_runtime_py'): sys.modules[name] = None\n"
        "from robot_agent.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    args = ["import-bag", str(tmp_path / "bag"), "--out", str(tmp_path / "run"), "--world", "servo-arm/reach"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, *args], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "19 transitions" in done.stdout
    assert "reward known: 19" in done.stdout


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["nowhere", "--world", "servo-arm/reach"], "there is no"),
        (["bag", "--world", "servo-arm/reech"], "did you mean servo-arm/reach"),
        (["bag", "--world", "servo-arm/reach", "--namespace", "left"], "nothing on /left/joint_states"),
        (["nothing seen", "--world", "servo-arm/reach"], "no topic of it has pictures, or take a run that sees none"),
        (["nothing wanted", "--world", "servo-arm/reach"], "no topic of it has goals, or give the one goal"),
        (["junk.mcap", "--world", "servo-arm/reach"], "begins neither as an MCAP nor"),
        (["bag"], "neither world nor joints say what the robot is"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_one_sentence(
    tmp_path: Path, args: list[str], sentence: str, capsys: pytest.CaptureFixture
):
    Recording(tmp_path / "bag", 3)
    (tmp_path / "junk.mcap").write_bytes(bytes(5000))
    for name, without in (("nothing seen", "/camera/image_raw"), ("nothing wanted", "/agent/goal")):
        part = Bag(tmp_path / name)
        for raw in Recorded(tmp_path / "bag").raw():
            if raw.channel.topic != without:
                channel = Channel(raw.channel.topic, raw.channel.type, raw.channel.definition)
                part.write(channel, raw.data, raw.received, raw.published)
        part.close()
    bag, *options = args
    assert main(["import-bag", str(tmp_path / bag), "--out", str(tmp_path / "run"), *options]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_recording_of_another_robot_is_refused_with_what_it_lacks_and_makes_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture
):
    Recording(tmp_path / "bag", 5)
    flags = ["--out", str(tmp_path / "run"), "--world", "so101/reach"]
    assert main(["import-bag", str(tmp_path / "bag"), *flags]) == 2
    assert "no joint states of shoulder_pan" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_lone_decision_before_a_pause_counts_as_no_episode(tmp_path: Path):
    Recording(tmp_path / "bag", 40, pause_at=1, goal_every=1000)
    done = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    replay = Replay(tmp_path / "run" / "replay")
    assert done.episodes == replay.episodes == 1
    assert replay.next_episode == 2


def test_a_run_of_a_recording_keeps_the_robots_calibration_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    config = replace(CONFIG, body="arm.yaml")
    kept = (importing._new_config(config), mind._new_run(config))
    assert [run.body for run in kept] == [str(tmp_path / "arm.yaml")] * 2


def test_rewards_of_a_world_that_cannot_judge_a_recording_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture):
    Recording(tmp_path / "bag", 5)
    flags = ["--out", str(tmp_path / "run"), "--world", "rover/goal", "--reward", "world"]
    assert main(["import-bag", str(tmp_path / "bag"), *flags]) == 2
    assert "rover/goal judges only what nobody recorded" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_rewards_of_a_world_need_a_world(tmp_path: Path):
    Recording(tmp_path / "bag", 5)
    config = AgentConfig(joints=("a",), lower=(-1.0,), upper=(1.0,), control_rate=10.0, streams=("proprio",))
    with pytest.raises(ParameterError, match="a body without a world judges only what nobody recorded"):
        import_bag(tmp_path / "bag", tmp_path / "run", config, "world")
    assert not (tmp_path / "run").exists()
