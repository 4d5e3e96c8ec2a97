"""Measures of the world model and the latent, on cases whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from robot_agent.agent import Agent
from robot_agent.drivers.driver import Driver
from robot_agent.errors import BodyError
from robot_agent.evaluation import filming, model_quality
from robot_agent.evaluation.evaluate import evaluate
from robot_agent.evaluation.model_quality import (
    encode_episode,
    latent_quality,
    observations_of,
    prediction_errors,
    retrieval_distance,
    states_after,
)
from robot_agent.loop import Loop
from robot_agent.types import BodySpec
from tests.contract.test_loop import Log
from tests.small import AGENT
from tests.worlds import PointMass


def lived(camera: bool = False, length: int = 45):
    body = PointMass(camera=camera, length=length)
    agent = Agent(BodySpec.from_env(body), AGENT)
    log = Log()
    Driver(Loop(agent), {"agent": body}, [log], keep_transitions=1000).run(lambda life: life.episodes >= 1)
    return agent, log.episodes[0].transitions


def test_an_episode_is_encoded_as_the_agent_saw_it():
    agent, episode = lived(camera=True)
    latents = encode_episode(agent.mind, observations_of(episode))
    assert latents.shape == (46, 32)
    frames = [step.observation["camera/main"] for step in episode]
    stack = np.stack(frames[8:11])[None]
    torch.testing.assert_close(agent.encode_stacked({"main": stack}, np.zeros((1, 0), np.float32))[0], latents[10])
    first = np.stack([frames[0]] * 3)[None]
    torch.testing.assert_close(agent.encode_stacked({"main": first}, np.zeros((1, 0), np.float32))[0], latents[0])


def test_a_perfect_model_has_no_error_and_one_that_stands_still_has_an_error_of_one(monkeypatch: pytest.MonkeyPatch):
    agent, _ = lived()
    line = torch.cumsum(torch.ones(12, 32), 0)
    actions = np.zeros((11, 2), np.float32)
    for step, expected in ((1.0, 0.0), (0.0, 1.0)):
        monkeypatch.setattr(agent.mind.world_model, "heads", lambda latent, action, context, s=step: (latent + s)[None])
        assert prediction_errors(agent.mind, line, actions) == pytest.approx([expected] * 5)


def test_an_episode_too_short_to_predict_far_is_told_as_nan():
    agent, _ = lived()
    errors = prediction_errors(agent.mind, torch.randn(3, 32), np.zeros((2, 2), np.float32))
    assert np.isfinite(errors[:2]).all()
    assert np.isnan(errors[2:]).all()


def test_latents_that_are_the_state_retrieve_as_well_as_the_oracle_and_noise_as_badly_as_chance():
    rng = np.random.default_rng(0)
    states = rng.normal(size=(300, 3))
    scaled = torch.from_numpy((states - states.mean(0)) / states.std(0))
    known = retrieval_distance(scaled, states)
    assert known["retrieval"] == pytest.approx(known["retrieval_oracle"], rel=1e-3)
    noise = retrieval_distance(torch.from_numpy(rng.normal(size=(300, 3))), states)
    assert noise["retrieval"] == pytest.approx(noise["retrieval_random"], rel=0.1)


def test_of_many_states_evenly_spread_ones_are_compared(monkeypatch: pytest.MonkeyPatch):
    """What is near in time may not answer: it is counted in steps, not in states that were chosen."""
    monkeypatch.setattr(model_quality, "MOST_STATES", 100)
    sizes: list[tuple[int, ...]] = []
    distances = torch.cdist
    monkeypatch.setattr(torch, "cdist", lambda a, b: sizes.append((len(a), len(b))) or distances(a, b))
    line = np.arange(1000.0)[:, None]
    known = retrieval_distance(torch.from_numpy(line), line)
    assert sizes == [(100, 100)] * 2
    step = 999 / 99
    assert known["retrieval_oracle"] == pytest.approx(2 * step / line.std(), rel=0.05)
    assert known["retrieval"] == pytest.approx(known["retrieval_oracle"])


@pytest.mark.parametrize(
    "states",
    [["moving"] * 3, [{"a": 1}] * 3, [[1.0], [1.0, 2.0], [1.0]], [None, [1.0], None], [[]] * 3, [np.zeros(10_001)] * 3],
)
def test_a_state_that_is_no_row_of_numbers_is_none(states: list[Any]):
    _, episode = lived()
    told = [replace(step, info={"state": state}) for step, state in zip(episode, states, strict=False)]
    assert states_after(told) is None
    assert states_after([replace(step, info={}) for step in episode]) is None


def test_an_evaluation_in_a_world_that_never_ends_does():
    body = PointMass(length=10**9)
    agent = Agent(BodySpec.from_env(body), AGENT)
    result = evaluate(agent, body, 2, longest_episode=25)
    assert (len(result.returns), result.transitions, result.cut_off) == (2, 50, 2)
    assert len(result.video) == 25


def test_a_film_that_is_full_takes_no_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(filming, "MOST_BYTES", 5 * 16 * 16 * 3)
    body = PointMass(length=30)
    agent = Agent(BodySpec.from_env(body), AGENT)
    result = evaluate(agent, body, 1)
    assert len(result.video) == 5
    assert result.imagination is not None
    assert len(result.returns) == 1


@pytest.mark.parametrize("picture", [None, [], np.zeros((4, 4)), np.zeros((4, 4, 3)), np.zeros((4, 4, 4), np.uint8)])
def test_a_picture_of_another_kind_is_one_sentence(picture: Any):
    class Painting(PointMass):
        def render(self) -> Any:
            return picture

    body = Painting()
    agent = Agent(BodySpec.from_env(body), AGENT)
    with pytest.raises(BodyError, match=r"expected uint8 \(height, width, 3\).*adapt"):
        evaluate(agent, body, 1)
    assert len(evaluate(agent, body, 1, render=False).returns) == 1


def test_a_picture_that_is_drawn_over_stays_as_it_was():
    class Redrawing(PointMass):
        canvas = np.zeros((4, 4, 3), np.uint8)

        def render(self) -> Any:
            self.canvas[:] = self.steps
            return self.canvas

    body = Redrawing(length=6)
    video = evaluate(Agent(BodySpec.from_env(body), AGENT), body, 1).video
    assert video[:, 0, 0, 0].tolist() == [1, 2, 3, 4, 5, 6]


def test_camera_episodes_report_rank_and_retrieval():
    agent, episode = lived(camera=True)
    record = latent_quality(agent.mind, episode)
    assert record["latent_rank"] >= 1
    assert record["retrieval_oracle"] <= record["retrieval"]
    agent, episode = lived()
    assert "retrieval" not in latent_quality(agent.mind, episode)


def test_an_evaluation_measures_films_and_imagines():
    body = PointMass(length=30)
    agent = Agent(BodySpec.from_env(body), AGENT)
    done: list[int] = []
    result = evaluate(agent, body, 3, on_episode=done.append)
    assert done == [1, 2, 3]
    assert len(result.returns) == 3
    assert result.transitions == 90
    assert result.video.shape == (30, 16, 16, 3)
    assert result.imagination is not None
    assert result.imagination.frames_real.shape == result.imagination.frames_imagined.shape == (12, 16, 16, 3)
    assert len(result.imagination.reward_real) == len(result.imagination.reward_imagined) == 12
    assert set(result.retrieval) == {"retrieval", "retrieval_random", "retrieval_oracle"}
    assert evaluate(agent, body, 3, render=False).returns == result.returns
    assert evaluate(agent, body, 3, seed=1, render=False).returns != result.returns
