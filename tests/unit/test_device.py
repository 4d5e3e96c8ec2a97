"""Where the mind computes."""

from __future__ import annotations

import pytest
import torch

from robot_agent.device import prepare_device
from robot_agent.errors import RobotAgentError


def test_on_the_cpu_a_process_has_one_thread_and_no_denormals() -> None:
    assert prepare_device("cpu") == "cpu"
    assert torch.get_num_threads() == 1
    assert float(torch.tensor([1e-30]) * 1e-12) == 0.0


def test_auto_names_what_is_there() -> None:
    assert prepare_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_cuda_that_is_not_there_is_one_clear_sentence() -> None:
    with pytest.raises(RobotAgentError, match="torch sees no GPU: use --device cpu or auto"):
        prepare_device("cuda")
