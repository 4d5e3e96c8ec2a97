"""A recording is judged by what moved, by who spoke, and by measured time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from robot_agent_bags.bag import Bag, Recorded
from robot_agent_bags.errors import BagError
from robot_agent_ros.bags.importing import import_bag
from robot_agent_ros.bags.publishers import FASTEST, JUMP, SEVERAL, astray, crossings
from robot_agent_ros.graph import ACCEPTED, COMMAND, JOINT_STATES
from robot_agent_ros.recorder.bag import Bag as Recorder

from robot_agent.cli.main import main
from tests.ros_wire import blank, channel, wire
from tests.unit.ros.bags.arms import (
    CONFIG,
    LARGEST,
    RATE,
    START,
    Arm,
    agent,
    forward_controller,
    gate_says,
    joints_at_once,
    rows_of,
)
from tests.unit.ros.bags.test_foreign import PARAMETERS


def gate(accepts: Callable[[float], bool], does: Callable[[float], str] = lambda now: "following"):
    """A gate that says ten times a second how many commands it has accepted; it reads one 2 ms after it came."""
    counted: list[float] = []

    def also(arm: Arm, now: float):
        for at in arm.times:
            if at not in counted and now - at >= 0.002 and accepts(at - START):
                counted.append(at)
        if round((now - START) / 0.005) % 19 == 0:  # now and then while a command is on its way
            yield from gate_says(now, does(now - START), 100 + len(counted))

    return also


def test_a_gate_that_lets_everything_through_changes_nothing(tmp_path: Path):
    lived = Arm(tmp_path / "bag", also=gate(lambda now: True))
    done = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    assert not done.report.refused
    assert done.transitions == len(lived.commands) - 1


def test_commands_that_the_gate_refused_are_no_actions(tmp_path: Path):
    refuses = (1.0, 2.0)

    def accepts(now: float) -> bool:
        return not refuses[0] <= now < refuses[1]

    lived = Arm(tmp_path / "bag", also=gate(accepts), obeys=accepts)
    done = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    refused = sum(not accepts(at - START) for at in lived.times)
    # Up to 0.1 s before and after nobody knows which of the commands counted.
    assert refused <= done.report.refused["refused_by_gate"] <= refused + 2 * 0.15 * RATE
    stamps = rows_of(tmp_path / "run")["stamp"] - START
    assert not np.any((stamps > 1.0) & (stamps < 2.0))
    assert np.any(stamps < 0.9)
    assert np.any(stamps > 2.15)


def test_where_the_gate_says_which_commands_it_accepted_exactly_these_are_actions(tmp_path: Path):
    said: list[float] = []

    def also(arm: Arm, now: float):
        for at in arm.times:
            if at not in said:
                said.append(at)
                if not 1.0 <= at - START < 2.0:
                    stamp = blank(COMMAND, at + 0.001).header.stamp
                    yield ACCEPTED, stamp

    lived = Arm(tmp_path / "bag", also=also)
    done = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    times = np.array(lived.times) - START
    assert done.report.refused["refused_by_gate"] == np.count_nonzero((times >= 1.0) & (times < 2.0))
    assert done.transitions == len(times) - done.report.refused["refused_by_gate"] - 2  # what ends two episodes


def test_a_recording_in_which_the_gate_refused_everything_gives_nothing_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "arm.yaml").write_text(PARAMETERS + "    streams: [proprio]\n")
    for number, also in enumerate((gate(lambda now: False), gate(lambda now: True, lambda now: "not_enabled"))):
        Arm(tmp_path / f"bag{number}", also=also)
        args = ["--out", str(tmp_path / "run"), "--parameters", str(tmp_path / "arm.yaml")]
        assert main(["import-bag", str(tmp_path / f"bag{number}"), *args]) == 2
        assert "the gate did not let it through" in capsys.readouterr().err
        assert not (tmp_path / "run").exists()


def test_what_the_gate_sent_itself_counts_whatever_it_says(tmp_path: Path):
    lived = Arm(tmp_path / "bag", commands=forward_controller, also=gate(lambda now: False))
    assert import_bag(tmp_path / "bag", tmp_path / "run", CONFIG).transitions == len(lived.commands) - 1


def test_commands_that_no_joint_followed_are_no_actions(tmp_path: Path):
    lived = Arm(tmp_path / "bag", 6.0, obeys=lambda now: now > 3.0)
    done = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    assert done.report.refused["not_obeyed"] >= 1.2 * RATE
    assert "commands moved by" in done.report.sentence
    assert rows_of(tmp_path / "run")["stamp"].max() > START + 5.8
    assert done.transitions > 0.45 * len(lived.commands)


def test_numbers_that_the_joints_followed_in_another_order_are_refused_with_the_order(tmp_path: Path):
    def mixed(now: float, position: np.ndarray):
        return joints_at_once(now, position[[1, 2, 0]])

    Arm(tmp_path / "bag", 6.0, commands=forward_controller, states=mixed)
    with pytest.raises(BagError, match="in the order elbow, turn, shoulder, and not as turn, shoulder, elbow"):
        import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    named = replace(CONFIG, joints=("elbow", "turn", "shoulder"))
    assert import_bag(tmp_path / "bag", tmp_path / "run", named).transitions > 100


# ---- who spoke ----


def rewritten(source: Path, target: Path, number: Callable[[Recorded], int], extra: Callable[[Recorded], list]) -> None:
    """A recording again, with numbers of messages, and what another publisher said after each."""
    bag = Recorder(target)
    rows = {f"/{row.name}": row for row in (JOINT_STATES, COMMAND)}
    for one in Bag(source).messages():
        row, at = rows[one.topic], round(one.received * 1e9)
        bag.write(channel(row), wire(row, one.message), at, at, number(one))
        for sequence, message in extra(one):
            bag.write(channel(row), wire(row, message), at + 1, at + 1, sequence)
    bag.close()


@pytest.mark.parametrize("topic", ["/joint_states", "/agent/command"])
@pytest.mark.parametrize("shown_by", ["numbers", "values"])
def test_two_publishers_on_a_topic_are_noticed_and_refused(tmp_path: Path, topic: str, shown_by: str):
    Arm(tmp_path / "one")
    counts = {"/joint_states": 0, "/agent/command": 0}
    numbers = shown_by == "numbers"

    def number(one: Recorded) -> int:
        counts[one.topic] += numbers
        return counts[one.topic]

    def another(one: Recorded) -> list:
        if one.topic != topic or counts[one.topic] % 2:
            return []
        message = one.message
        message.header.stamp.nanosec += 200_000
        if not numbers:  # it stands elsewhere
            if topic == "/joint_states":
                message.position = [1.0, 1.0, 1.0]
            else:
                message.points[0].positions = [-1.0, 1.0, -1.0]
        return [(counts[one.topic] // 3 + 1 if numbers else 0, message)]

    rewritten(tmp_path / "one", tmp_path / "two", number, another)
    with pytest.raises(BagError, match=f"two publishers spoke on {topic} in .*two"):
        import_bag(tmp_path / "two", tmp_path / "run", CONFIG)
    rewritten(tmp_path / "one", tmp_path / "again", number, lambda one: [])
    assert import_bag(tmp_path / "again", tmp_path / "run", CONFIG).transitions > 50


def test_a_second_agent_that_the_gate_refused_did_nothing(tmp_path: Path):
    lived = Arm(tmp_path / "one")
    bag = Recorder(tmp_path / "two")
    for count, one in enumerate(Bag(tmp_path / "one").messages(), start=1):
        row, at = {"/joint_states": JOINT_STATES, "/agent/command": COMMAND}[one.topic], round(one.received * 1e9)
        bag.write(channel(row), wire(row, one.message), at, at, count)
        if row is COMMAND:
            stamp = one.message.header.stamp
            bag.write(channel(ACCEPTED), wire(ACCEPTED, stamp), at + 1000, at + 1000, count)
            stamp.nanosec += 5_000_000
            one.message.points[0].positions = [1.0, -1.0, 1.0]
            bag.write(channel(row), wire(row, one.message), at + 5_000_000, at + 5_000_000, 10_000 + count)
    bag.close()
    done = import_bag(tmp_path / "two", tmp_path / "run", CONFIG)
    assert done.report.refused == {"refused_by_gate": len(lived.commands)}
    rows = rows_of(tmp_path / "run")
    assert len(rows) == len(lived.commands) - 1
    np.testing.assert_allclose(rows["action"][1:], np.diff(lived.commands, axis=0)[:-1] / LARGEST, atol=1e-5)


def test_an_arm_and_its_gripper_may_have_a_publisher_each(tmp_path: Path):
    config = replace(CONFIG, joints=("turn", "shoulder", "elbow"))
    Arm(tmp_path / "one")
    counts = [0, 1000]

    def number(one: Recorded) -> int:
        counts[0] += one.topic == "/joint_states"
        return counts[0]

    def gripper(one: Recorded) -> list:
        if one.topic == "/agent/command":
            return []
        message = one.message
        message.name, message.position = ["gripper"], [float(counts[0] % 2)]
        message.velocity = message.effort = []
        counts[1] += 1
        return [(counts[1], message)]

    rewritten(tmp_path / "one", tmp_path / "two", number, gripper)
    assert import_bag(tmp_path / "two", tmp_path / "run", config).transitions > 50


def test_a_slow_second_publisher_is_noticed_too(tmp_path: Path):
    """One that says that all joints are at 0, three times a second."""
    Arm(tmp_path / "one", 4.0)
    count = [0]

    def number(one: Recorded) -> int:
        count[0] += one.topic == "/joint_states"
        return 0 if one.topic == "/agent/command" else count[0]

    def zeros(one: Recorded) -> list:
        if one.topic == "/agent/command" or count[0] % 70:
            return []
        message = one.message
        message.header.stamp.nanosec += 200_000
        message.position = [0.0, 0.0, 0.0]
        return [(count[0] // 70, message)]

    rewritten(tmp_path / "one", tmp_path / "two", number, zeros)
    with pytest.raises(BagError, match="two publishers spoke on /joint_states"):
        import_bag(tmp_path / "two", tmp_path / "run", CONFIG)


def test_a_wheel_that_turns_back_is_one_wheel():
    """It rolls to and fro at its fastest, and is measured ten times a second."""
    stamps, sides = 0.1 * np.arange(100), np.where(np.arange(100) % 2, 1.5, 0.0)
    values = np.stack([sides, -sides], axis=1)
    assert not astray(values, np.maximum(JUMP, FASTEST * np.diff(stamps))).any()
    assert astray(values, np.maximum(JUMP, FASTEST * np.diff(0.02 * stamps))).mean() > 0.4


def test_an_encoder_that_errs_now_and_then_is_not_believed(tmp_path: Path):
    count = [0]

    def erring(now: float, position: np.ndarray):
        count[0] += 1
        wrong = count[0] in (150, 300, 301, 480)
        return joints_at_once(now, position + wrong * np.array([0.0, 0.7, 0.0]))

    Arm(tmp_path / "right")
    import_bag(tmp_path / "right", tmp_path / "run0", CONFIG)
    Arm(tmp_path / "bag", states=erring)
    done = import_bag(tmp_path / "bag", tmp_path / "run1", CONFIG)
    assert len(done.survey.astray) == 4
    right, erred = rows_of(tmp_path / "run0"), rows_of(tmp_path / "run1")
    assert len(right) == len(erred)
    assert np.abs(right["proprio"] - erred["proprio"]).max() < 0.2  # the reading before is taken


def test_a_publisher_that_starts_again_is_one():
    assert crossings([*range(100), *range(50), *range(70)]) < SEVERAL
    assert crossings([0] * 100) == crossings([]) == 0
    assert crossings([number // 2 if number % 2 else number for number in range(100)]) > 40


def test_one_that_moves_fast_does_not_jump_back():
    rng = np.random.default_rng(0)
    for scale in (0.5, 1.0):
        walk = np.cumsum(rng.uniform(-scale, scale, (2000, 3)), axis=0)
        assert not astray(walk, 1.5).any()
    far = np.linspace(0, 60, 200)[:, None]  # a wheel that turns on and on
    assert not astray(far, 0.1).any()
    assert astray(np.tile([[0.0], [1.0]], (50, 1)), 0.1).mean() > 0.45
    assert not astray(np.zeros((0, 3)), 0.1).any()
    assert not astray(np.zeros((1, 3)), 0.1).any()


# ---- time ----


def test_time_is_stored_as_it_was(tmp_path: Path):
    lived = Arm(tmp_path / "bag", every=0.045)
    done = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    assert done.report.between == 0
    rows = rows_of(tmp_path / "run")
    np.testing.assert_allclose(rows["dt"], np.diff(lived.times), atol=1e-5)
    assert rows["dt"].mean() == pytest.approx(0.045, rel=1e-3)


@pytest.mark.parametrize("every", [0.02, 0.01, 0.015])
def test_a_stream_that_is_faster_than_decisions_is_thinned_and_its_time_is_true(tmp_path: Path, every: float):
    lived = Arm(tmp_path / "bag", every=every, step=LARGEST * every * RATE, commands=agent)
    done = import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    rows = rows_of(tmp_path / "run")
    assert done.report.between == len(lived.commands) - len(rows) - 1
    times, commands = np.array(lived.times), np.array(lived.commands)
    at = [int(np.argmin(np.abs(times - stamp))) for stamp in rows["stamp"] + 0.001]
    assert rows["dt"].mean() == pytest.approx(1 / RATE, rel=0.05)
    np.testing.assert_allclose(rows["dt"][:-1], np.diff(times[at]), atol=1e-5)
    np.testing.assert_allclose(rows["action"][1:], np.diff(commands[at], axis=0) / LARGEST, atol=1e-4)


def test_a_stream_that_is_slower_than_decisions_is_refused_with_its_rate(tmp_path: Path):
    Arm(tmp_path / "bag", every=0.1)
    slow = r"come every 100 ms, slower than 1\.25 periods of the 50 ms .*control_rate to 10"
    with pytest.raises(BagError, match=slow):
        import_bag(tmp_path / "bag", tmp_path / "run", CONFIG)
    assert not (tmp_path / "run").exists()
    import_bag(tmp_path / "bag", tmp_path / "run", replace(CONFIG, control_rate=10.0))
    np.testing.assert_allclose(rows_of(tmp_path / "run")["dt"], 0.1, rtol=1e-3)


def test_pauses_are_named_where_nothing_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Two commands, a pause, two commands: no decision has another before it."""

    def now_and_then(now: float, command: np.ndarray):
        return agent(now, command) if round((now - START) / 0.05) % 5 == 0 else iter(())

    Arm(tmp_path / "bag", every=0.05, commands=now_and_then)
    (tmp_path / "arm.yaml").write_text(PARAMETERS + "    streams: [proprio]\n")
    args = ["--out", str(tmp_path / "run"), "--parameters", str(tmp_path / "arm.yaml")]
    assert main(["import-bag", str(tmp_path / "bag"), *args]) == 2
    assert "slower than 1.25 periods" in capsys.readouterr().err
