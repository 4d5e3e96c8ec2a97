"""What the simulated body can be told. Delays, noise and losses can be changed while it lives, the rest not."""

from __future__ import annotations

from dataclasses import dataclass

from robot_agent_bodies.parameters import parameter

from robot_agent_ros.errors import ParameterError


@dataclass(frozen=True)
class SimBodyConfig:
    """Parameters of the simulated body."""

    world: str = parameter(
        "servo-arm/reach",
        "A world made here whose joints are position or velocity servos: servo-arm/reach, so101/reach, rover/goal",
        read_only=True,
    )
    seed: int = parameter(
        0, "Of the beginning, of all goals, of noise and of what is lost", low=0, high=2**31 - 1, read_only=True
    )

    joint_rate: float = parameter(200.0, "Joint states a second", unit="Hz", low=10, high=1000, read_only=True)
    joint_delay: float = parameter(
        0.0, "From the moment that a joint state is about to its publication", unit="s", low=0, high=1
    )
    joint_noise: float = parameter(0.0, "Standard deviation of joint positions", unit="rad", low=0, high=1)
    velocity_noise: float = parameter(0.0, "Standard deviation of joint velocities", unit="rad/s", low=0, high=10)
    joint_loss: float = parameter(0.0, "Share of joint states that are never published", low=0, high=1)

    camera: str = parameter("", "The world's camera that is published; empty: the one that agents see", read_only=True)
    camera_rate: float = parameter(30.0, "Frames a second; 0 for no camera", unit="Hz", low=0, high=200, read_only=True)
    image_width: int = parameter(640, "Of a frame", unit="pixels", low=8, high=1920, read_only=True)
    image_height: int = parameter(480, "Of a frame", unit="pixels", low=8, high=1080, read_only=True)
    camera_delay: float = parameter(
        0.0, "From the exposure, which is the stamp, to the rendering of a frame", unit="s", low=0, high=1
    )
    camera_noise: float = parameter(0.0, "Standard deviation of a colour, of 255", low=0, high=64)
    camera_loss: float = parameter(0.0, "Share of frames that are never published", low=0, high=1)
    frame_id: str = parameter("camera_optical_frame", "Frame of the camera: z forward, x to its right", read_only=True)

    command_delay: float = parameter(0.0, "From a command's arrival to the servos", unit="s", low=0, high=1)
    velocity_timeout: float = parameter(
        0.5,
        "A velocity body stops when no command has come for so long, as a diff_drive_controller does",
        unit="s",
        low=0.01,
        high=10,
    )
    goal_period: float = parameter(
        3.0, "Another goal after so long, while the body goes on from where it is; 0 for never", unit="s", low=0
    )
    reward_rate: float = parameter(30.0, "Rewards a second on agent/reward; 0 for none", unit="Hz", low=0, high=1000)

    clock: bool = parameter(
        False, "Publish /clock and stamp by it; all other nodes then need use_sim_time", read_only=True
    )
    speed: float = parameter(
        1.0, "Simulated seconds a second, if the machine can; other than 1 only with clock", low=0.01, high=1000
    )

    def __post_init__(self) -> None:
        if self.speed != 1 and not self.clock:
            raise ParameterError(f"speed is {self.speed:g} without clock, expected 1: set clock to true as well")
        if self.clock and self.camera_rate and self.camera_delay > 0.5 / self.camera_rate:
            raise ParameterError(
                f"camera_delay is {self.camera_delay:g} s with clock, expected at most half a frame, "
                f"{0.5 / self.camera_rate:g} s: time waits for each frame"
            )
