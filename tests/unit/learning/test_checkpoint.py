"""Checkpoints that survive what happens to files."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
import torch

from robot_agent.errors import CheckpointError
from robot_agent.learning import checkpoint as module
from robot_agent.learning.checkpoint import CheckpointStore, flatten, unflatten


def save(store: CheckpointStore, step: int) -> Path:
    return store.save(step, {"w": torch.full((10,), float(step))}, {"step": step})


def test_the_newest_comes_back(tmp_path: Path):
    store = CheckpointStore(tmp_path)
    for step in (100, 200):
        save(store, step)
    loaded = store.load_latest()
    assert (loaded.step, loaded.state) == (200, {"step": 200})
    assert torch.equal(loaded.tensors["w"], torch.full((10,), 200.0))


def test_the_last_three_are_kept(tmp_path: Path):
    store = CheckpointStore(tmp_path)
    for step in range(1, 6):
        save(store, step)
    assert sorted(int(path.name[-12:]) for path in tmp_path.iterdir()) == [3, 4, 5]


def test_every_tenth_step_is_kept_for_good_and_can_be_read(tmp_path: Path):
    store = CheckpointStore(tmp_path, keep=2, keep_every=10)
    for step in (10, 15, 20, 21, 22, 23):
        save(store, step)
    assert store.steps == [10, 20, 22, 23]
    assert store.load(10).state == {"step": 10}
    with pytest.raises(CheckpointError, match="no checkpoint of decision 15, only of 10, 20, 22, 23"):
        store.load(15)
    (tmp_path / f"{module.PREFIX}000000000020" / "state.json").unlink()
    with pytest.raises(CheckpointError, match="damaged"):
        store.load(20)


def test_the_same_step_can_be_saved_again(tmp_path: Path):
    store = CheckpointStore(tmp_path)
    save(store, 7)
    store.save(7, {"w": torch.zeros(1)}, {"again": True})
    assert store.load_latest().state == {"again": True}


@pytest.mark.parametrize("name", ["weights.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "remove"])
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(tmp_path: Path, name: str, damage: str):
    store = CheckpointStore(tmp_path)
    save(store, 1)
    file = save(store, 2) / name
    content = bytearray(file.read_bytes())
    if damage == "truncate":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "remove":
        file.unlink()
    else:
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content)
    with pytest.warns(UserWarning, match="000000000002 is damaged"):
        assert store.load_latest().step == 1


def test_none_left_is_a_clear_error(tmp_path: Path):
    store = CheckpointStore(tmp_path)
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        store.load_latest()
    (save(store, 1) / "manifest.json").unlink()
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(CheckpointError, match="can be read"):
        store.load_latest()


def test_a_full_disk_leaves_the_older_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = CheckpointStore(tmp_path)
    save(store, 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_sync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        save(store, 2)
    monkeypatch.undo()
    assert store.load_latest().step == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_crash_left_half_written_is_removed_by_the_next_save(tmp_path: Path):
    (tmp_path / f".{module.PREFIX}000000000001.77").mkdir()
    store = CheckpointStore(tmp_path)
    with pytest.raises(CheckpointError):
        store.load_latest()
    save(store, 2)
    assert [path.name for path in tmp_path.iterdir()] == [f"{module.PREFIX}000000000002"]


def test_an_optimiser_state_survives_flattening():
    parameter = torch.nn.Parameter(torch.ones(3))
    optimiser = torch.optim.Adam([{"params": [parameter], "lr": 0.1}], betas=(0.8, 0.9))
    parameter.sum().backward()
    optimiser.step()
    tree = {"optimiser": optimiser.state_dict(), "count": 3, "rng": torch.Generator().get_state(), "none": None}
    tensors, state = flatten(tree)
    back = unflatten(tensors, module.json.loads(module.json.dumps(state)))
    assert back["count"] == 3
    assert back["none"] is None
    assert torch.equal(back["rng"], tree["rng"])
    assert back["optimiser"]["param_groups"][0]["betas"] == (0.8, 0.9)
    assert list(back["optimiser"]["state"]) == [0]
    other = torch.optim.Adam([torch.nn.Parameter(torch.ones(3))])
    other.load_state_dict(back["optimiser"])
    assert torch.equal(other.state_dict()["state"][0]["exp_avg"], optimiser.state_dict()["state"][0]["exp_avg"])


def test_a_disk_that_fills_up_while_weights_are_written(tmp_path: Path):
    store = CheckpointStore(tmp_path)
    save(store, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(CheckpointError, match="free some space"):
            store.save(2, {"w": torch.zeros(1_000_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.load_latest().step == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_the_one_just_written_stays_beside_a_damaged_later_one(tmp_path: Path):
    store = CheckpointStore(tmp_path, keep=1)
    (save(store, 9) / "state.json").unlink()
    save(store, 5)
    assert store.load_latest().step == 5


def test_tensors_that_share_memory_are_each_saved(tmp_path: Path):
    store = CheckpointStore(tmp_path)
    weight = torch.arange(6.0)
    store.save(1, {"a": weight, "b": weight, "c": weight[2:]}, {})
    tensors = store.load_latest().tensors
    assert torch.equal(tensors["a"], weight)
    assert torch.equal(tensors["c"], weight[2:])


def test_flattening_keeps_apart_what_has_the_same_path():
    tree = {"a/b": torch.zeros(1), "a": {"b": torch.ones(1)}, 1: torch.full((1,), 2.0), "1": torch.full((1,), 3.0)}
    back = unflatten(*flatten(tree))
    assert [back["a/b"].item(), back["a"]["b"].item(), back[1].item(), back["1"].item()] == [0, 1, 2, 3]
