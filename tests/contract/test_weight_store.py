"""The contract of a weight store: versions never go back, a set is seen whole, nobody waits."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from pathlib import Path

import pytest
import torch

from robot_agent.errors import RobotAgentError
from robot_agent.learning.weight_store import LocalWeightStore, SharedMemoryWeightStore, WeightStore


@pytest.fixture(params=["local", "shared"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> WeightStore:
    return LocalWeightStore() if request.param == "local" else SharedMemoryWeightStore(tmp_path / "weights")


def weights(value: float) -> dict[str, torch.Tensor]:
    return {
        "matrix": torch.full((3, 4), value),
        "empty": torch.zeros(0),
        "count": torch.tensor(value, dtype=torch.float64),
        "flag": torch.tensor(value > 1),
        "half": torch.full((5,), value, dtype=torch.bfloat16),
    }


def test_nothing_before_the_first_publication(store: WeightStore):
    assert store.latest() is None


def test_the_newest_set_comes_back_exactly(store: WeightStore):
    store.publish(weights(1.0), 10)
    store.publish(weights(2.5), 20)
    version, got = store.latest() or (0, {})
    assert version == 20
    for name, tensor in weights(2.5).items():
        assert got[name].dtype == tensor.dtype
        assert torch.equal(got[name], tensor)


def test_nothing_newer_is_none(store: WeightStore):
    store.publish(weights(1.0), 7)
    assert store.latest(newer_than=7) is None
    assert store.latest(newer_than=6) is not None


def test_what_is_no_newer_is_not_offered(store: WeightStore):
    for value, version in ((1.0, 7), (2.0, 7), (3.0, 5), (4.0, 8), (5.0, 1)):
        store.publish(weights(value), version)
    version, got = store.latest() or (0, {})
    assert version == 8
    assert (got["matrix"] == 4).all()


def test_what_was_published_is_a_copy(store: WeightStore):
    mine = weights(1.0)
    store.publish(mine, 1)
    mine["matrix"].fill_(7)
    _, got = store.latest() or (0, {})
    assert (got["matrix"] == 1).all()


def test_shared_weights_of_another_shape_are_refused(tmp_path: Path):
    store = SharedMemoryWeightStore(tmp_path / "weights")
    store.publish(weights(1.0), 1)
    with pytest.raises(RobotAgentError, match="first publication"):
        store.publish({**weights(1.0), "matrix": torch.zeros(9)}, 2)
    with pytest.raises(RobotAgentError, match="other weights"):
        store.publish({"matrix": torch.zeros(3, 4)}, 2)
    with pytest.raises(RobotAgentError, match="float16"):
        store.publish({**weights(1.0), "matrix": torch.zeros(3, 4, dtype=torch.float16)}, 2)
    assert (store.latest() or (0, {}))[0] == 1


@pytest.mark.parametrize("width", [3, 9])
def test_a_reader_follows_a_publisher_that_starts_again(tmp_path: Path, width: int):
    """Else an actor would keep the weights of the life before, since the new file is not the one that it maps."""
    first = SharedMemoryWeightStore(tmp_path / "weights")
    for version in (1, 2, 3, 4, 50):
        first.publish({"a": torch.full((3,), float(version))}, version)
    reader = SharedMemoryWeightStore(tmp_path / "weights")
    assert (reader.latest() or (0, {}))[0] == 50
    again = SharedMemoryWeightStore(tmp_path / "weights")
    again.publish({"a": torch.full((width,), 40.0)}, 40)  # from a checkpoint that is older than what was published
    assert reader.latest(newer_than=50) is None
    again.publish({"a": torch.full((width,), 60.0)}, 60)
    version, got = reader.latest(newer_than=50) or (0, {})
    assert version == 60
    assert torch.equal(got["a"], torch.full((width,), 60.0))
    assert reader.latest(newer_than=60) is None


@pytest.mark.parametrize("published_before", [0, 5])
def test_whoever_joins_as_the_file_appears_sees_whole_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published_before: int
):
    first = SharedMemoryWeightStore(tmp_path / "weights")
    for value in range(published_before):
        first.publish(weights(float(value)), value + 1)
    replace, seen = os.replace, []

    def replace_and_join(*paths):
        replace(*paths)
        seen.append(SharedMemoryWeightStore(tmp_path / "weights").latest())

    monkeypatch.setattr(os, "replace", replace_and_join)
    SharedMemoryWeightStore(tmp_path / "weights").publish(weights(7.0), published_before + 3)
    ((version, got),) = seen
    assert version == published_before + 3
    assert (got["matrix"] == 7).all()


def test_no_space_for_shared_weights_is_one_sentence(tmp_path: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(RobotAgentError, match="no space"):
            SharedMemoryWeightStore(tmp_path / "weights").publish({"a": torch.zeros(1_000_000)}, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def publish_forever(path: Path, stop) -> None:
    store = SharedMemoryWeightStore(path)
    version = 0
    while not stop.is_set():
        version += 10
        content = {name: torch.full((50_000,), float(version)) for name in "ab"}
        store.publish(content, version)


def test_a_reader_in_another_process_never_sees_a_mixture(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    writer = context.Process(target=publish_forever, args=(tmp_path / "weights", stop), daemon=True)
    writer.start()
    store = SharedMemoryWeightStore(tmp_path / "weights")
    seen, last = 0, 0
    deadline = time.monotonic() + 60
    try:
        while seen < 200 and time.monotonic() < deadline:
            newer = store.latest(newer_than=last)
            if newer is None:
                continue
            last, got = newer
            assert got["a"].min() == got["a"].max() == got["b"].min() == got["b"].max() == last
            seen += 1
    finally:
        stop.set()
        writer.join(20)
    assert seen == 200
