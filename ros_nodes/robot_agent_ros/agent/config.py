"""The agent node's parameters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from robot_agent_bodies.parameters import parameter

from robot_agent_ros.errors import ParameterError


@dataclass(frozen=True)
class AgentConfig:
    """Everything but `goal` and the bounds on ages is fixed when the node is configured."""

    checkpoint: str = parameter("", "Run folder the agent starts from; empty: it starts from nothing")
    learn: bool = parameter(True, "Whether it keeps what it lives through and learns from it beside acting")
    run_folder: str = parameter(
        "", "Where a run that starts from nothing is kept; empty: ~/robot_agent_runs/ and the time"
    )
    settings: str = parameter(
        "", "YAML file with fields of the run's configuration, as robot-agent train --config takes"
    )
    seed: int = parameter(0, "Of initial weights and of all noise", low=0, high=2**31 - 1)
    explore: bool = parameter(True, "Act to learn rather than to score")

    # ---- the body ----

    world: str = parameter(
        "",
        "The world of robot_agent_sim that this robot is the body of, such as so101/reach; empty: the one of the "
        "checkpoint, or the joints below",
    )
    body: str = parameter(
        "", "The calibration.yaml of this robot; empty: the one that the checkpoint was trained with, if any"
    )
    streams: tuple[str, ...] = parameter(
        ("proprio", "camera"), "What it perceives; a checkpoint brings its own", choices=("proprio", "camera")
    )
    control_rate: float = parameter(
        0.0, "Decisions a second; 0 for the world's own", unit="Hz", low=0, high=200, read_only=True
    )
    joints: tuple[str, ...] = parameter((), "Names of the joints it moves, where no world says so")
    lower: tuple[float, ...] = parameter((), "Lowest command of each joint; of wheels in rad/s", unit="rad")
    upper: tuple[float, ...] = parameter((), "Highest command of each joint; of wheels in rad/s", unit="rad")
    largest_change: float = parameter(
        0.05, "How far a full action moves the command of a servo in one decision", unit="rad", low=1e-4, high=1
    )
    wheel_radius: float = parameter(
        0.0, "Of the two wheels, joints [left, right], of a body that is driven by a twist", unit="m", low=0, high=2
    )
    wheel_separation: float = parameter(0.0, "Between the two wheels; 0 for a body without", unit="m", low=0, high=5)
    camera_size: tuple[int, ...] = parameter(
        (64, 64), "Height and width in which it sees; a checkpoint brings its own", unit="pixels", low=8, high=512
    )

    # ---- what it acts on ----

    image_size: tuple[int, ...] = parameter(
        (480, 640), "Height and width of the camera's frames; others are refused; empty: any", unit="pixels", low=8
    )
    image_bits: int = parameter(
        0,
        "Bits that the numbers of a 16-bit picture use; 0: 16, and a picture that seems to use fewer is refused",
        unit="bit",
        low=0,
        high=16,
    )
    compressed: bool = parameter(False, "Whether the camera sends JPEG or PNG on camera/image_raw/compressed")
    camera_view: str = parameter(
        "world",
        "world: it sees what the world's camera would, cut and straightened by camera_info; whole: the frame as it is, "
        "squeezed to the agent's size, as always where no world says what is to be seen",
        choices=("world", "whole"),
    )
    largest_camera_age: float = parameter(0.1, "It does not act on a frame that is older", unit="s", low=0.005, high=2)
    largest_joint_age: float = parameter(
        0.05, "It does not act on a joint state that is older", unit="s", low=0.005, high=2
    )
    largest_skew: float = parameter(
        0.08, "It does not act on a frame and a joint state that are further apart", unit="s", low=0.001, high=2
    )
    future_tolerance: float = parameter(0.02, "How far ahead of our clock a stamp may be", unit="s", low=0, high=1)
    largest_command_age: float = parameter(
        0.1, "A decision that came later after its observation is not sent", unit="s", low=0.01, high=2
    )
    even: bool = parameter(
        True, "Commands wait until nearly every decision would be there, so that they are evenly apart"
    )
    require_gate: bool = parameter(True, "Hold as long as no gate says that commands may count")

    # ---- what it is after ----

    goal: tuple[float, ...] = parameter((), "The goal until agent/goal brings another, in the world's units")
    goal_dim: int = parameter(0, "Numbers of a goal, where no world says so; 0 for one task", low=0, high=64)
    achieved_goal: str = parameter(
        "", "module:function from an observation to the goal it achieves; empty: what the world says of its joints"
    )
    reward: str = parameter(
        "world",
        "world: what the world gives for what was achieved; topic: the sum of agent/reward in a step; "
        "module:function of an observation; empty: none",
    )
    episode_seconds: float = parameter(
        10.0, "An endless life is cut into episodes so long, for learning alone", unit="s", low=0.5, high=3600
    )

    # ---- learning beside acting ----

    checkpoint_minutes: float = parameter(5.0, "Between two checkpoints", unit="min", low=0.01, high=1440)
    learner_idle: bool = parameter(True, "Learn only while a core has nothing else to do (SCHED_IDLE)")
    learner_core: int = parameter(-1, "CPU core of learning; -1 for any", low=-1, high=1023)
    core: int = parameter(-1, "CPU core of the control thread; -1 for any", low=-1, high=1023)
    priority: int = parameter(
        10,
        "Real-time priority (SCHED_FIFO) of the control thread, where the system grants one; 0 for none",
        low=0,
        high=99,
    )

    @property
    def has_wheels(self) -> bool:
        """Whether the joints are wheels that a twist drives, and not servos."""
        return self.wheel_separation > 0

    @property
    def calibration(self) -> str | None:
        """The file of `body`, as it is found from anywhere; None if none is named."""
        return str(Path(self.body).expanduser().resolve()) if self.body else None

    def __post_init__(self) -> None:
        for name in ("camera_size", "image_size"):
            size = getattr(self, name)
            if len(size) not in ((2,) if name == "camera_size" else (0, 2)):
                raise ParameterError(f"{name} has {len(size)} entries, expected height and width in pixels")
        if self.image_bits and self.image_bits < 8:
            raise ParameterError(f"image_bits is {self.image_bits}, expected 8 to 16, or 0 where nobody knows")
        for name in ("lower", "upper"):
            if len(getattr(self, name)) != len(self.joints):
                raise ParameterError(
                    f"{name} has {len(getattr(self, name))} entries, expected one for each of {len(self.joints)} joints"
                )
        for joint, low, high in zip(self.joints, self.lower, self.upper, strict=True):
            if not low < high:
                raise ParameterError(f"joint {joint!r} goes from {low:g} to {high:g} rad, expected lower below upper")
        if (self.wheel_radius > 0) != self.has_wheels:
            raise ParameterError("of wheel_radius and wheel_separation one is 0: give both, or neither for servos")
        if self.has_wheels and len(self.joints) != 2:
            raise ParameterError(f"joints names {len(self.joints)}, expected the left and the right wheel")
        if self.has_wheels and any(low != -high for low, high in zip(self.lower, self.upper, strict=True)):
            raise ParameterError("lower is not upper backwards, expected wheels that turn as fast in both directions")
        if not self.streams or len(set(self.streams)) < len(self.streams):
            raise ParameterError("streams names none or one twice, expected proprio, camera, or each of them once")
        if self.reward not in ("", "world", "topic") and ":" not in self.reward:
            raise ParameterError(
                f"reward is {self.reward!r}, expected world, topic, module:function, or nothing for none"
            )
        if self.achieved_goal and ":" not in self.achieved_goal:
            raise ParameterError(f"achieved_goal is {self.achieved_goal!r}, expected module:function")
