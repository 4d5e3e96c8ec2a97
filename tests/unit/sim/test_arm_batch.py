"""Many arms at once live exactly as each would alone."""

from __future__ import annotations

import numpy as np
import pytest
from robot_agent_sim.so101.batch import ArmBatch
from robot_agent_sim.so101.tasks import ArmEnv, LiftCubeEnv, PushCubeEnv, ReachEnv


@pytest.mark.parametrize("world", [ReachEnv, PushCubeEnv, LiftCubeEnv])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_batch_is_bit_identical_to_single_worlds(world: type[ArmEnv], threads: int):
    options = {"streams": ("proprio",), "episode_steps": 40}
    batch = ArmBatch(world(**options), 3, threads)
    singles = [world(**options) for _ in range(3)]
    together, _ = batch.reset(seed=7)
    alone = [single.reset(seed=7 + arm)[0] for arm, single in enumerate(singles)]
    rng = np.random.default_rng(0)
    for _ in range(40):
        for name, values in together.items():
            assert all(np.array_equal(values[arm], alone[arm][name]) for arm in range(3)), name
        actions = rng.uniform(-1.2, 1.2, (3, 6)).astype(np.float32)
        together, rewards, _, over, info = batch.step(actions)
        results = [single.step(actions[arm]) for arm, single in enumerate(singles)]
        alone = [result[0] for result in results]
        assert rewards.tolist() == [result[1] for result in results]
        assert info["success"].tolist() == [result[4]["success"] for result in results]
        assert info["clipped_actions"].tolist() == [result[4]["clipped_actions"] for result in results]
        assert over.tolist() == [result[3] for result in results]
    assert over.all()


def test_the_step_after_the_last_is_a_reset():
    batch = ArmBatch(ReachEnv(streams=("proprio",), episode_steps=2), 2)
    first, _ = batch.reset(seed=0)
    actions = np.zeros((2, 6), np.float32)
    batch.step(actions)
    assert batch.step(actions)[3].all()
    observation, rewards, _, over, _ = batch.step(actions)
    assert not over.any()
    assert not rewards.any()
    assert np.any(observation["desired_goal"] != first["desired_goal"])
    assert np.array_equal(observation["proprio"][:, 6:12], np.zeros((2, 6)))


def test_cameras_bad_counts_and_bad_actions_are_refused():
    with pytest.raises(ValueError, match="has no cameras"):
        ArmBatch(ReachEnv(), 2)
    with pytest.raises(ValueError, match="num_envs is 0"):
        ArmBatch(ReachEnv(streams=("proprio",)), 0)
    batch = ArmBatch(ReachEnv(streams=("proprio",)), 2)
    batch.reset(seed=0)
    with pytest.raises(ValueError, match=r"shape \(6,\), expected \(2, 6\)"):
        batch.step(np.zeros(6))
