"""Where the mind computes, and how a process that acts or learns there is set up."""

from __future__ import annotations

import torch

from robot_agent.errors import RobotAgentError


def prepare_device(name: str) -> str:
    """`auto` to the device that is used; on the CPU, sets this process up for small networks.

    One thread for acting and one for learning beats two for both, and two that share a busy core wait for each other.
    Numbers below 1e-38, of which Adam's second moments have many, count as zero: a CPU is many times slower with them
    (6 % of an update of a trained agent).

    Raises:
        RobotAgentError: CUDA was asked for and is not there.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise RobotAgentError("device cuda was asked for but torch sees no GPU: use --device cpu or auto")
    device = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    if device == "cpu":
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
    return device
