"""The lives that have names."""

from __future__ import annotations

from collections.abc import Mapping

from robot_agent_sim.drift.change import Change, Range
from robot_agent_sim.life.chapter import Chapter

LIVES: Mapping[str, tuple[str, tuple[Chapter, ...]]] = {
    "arm-year": (
        "an SO-101 that reaches while its load, strength, delays and looks change",
        (
            Chapter("so101/reach", 20_000),
            Chapter("so101/reach", 20_000, (Change("payload", 0.15, "gripper", over=5_000),)),
            Chapter("so101/reach", 20_000, (Change("gain", 0.5, "elbow_flex"), Change("command_delay", 0.04))),
            Chapter(
                "so101/reach",
                20_000,
                (Change("camera_roll", 12.0), Change("light", 0.5, over=10_000), Change("distractors", 4)),
            ),
            Chapter("so101/reach", 20_000, (Change("stuck", 1.0, "wrist_roll", every=6_000), Change("hue", 90.0))),
            Chapter("so101/reach", 20_000, ranges=(Range("gain", 0.7, 1.2), Range("command_delay", 0.0, 0.06))),
        ),
    ),
    "arm-randomised": (
        "an SO-101 that reaches, another body in every episode: for an arm that nobody has measured",
        (
            Chapter(
                "so101/reach",
                20_000,
                ranges=(
                    Range("gain", 0.6, 1.4),
                    Range("damping", 0.6, 1.6),
                    Range("dry_friction", 0.0, 4.0),
                    Range("payload", 0.0, 0.1, "gripper"),
                    Range("command_delay", 0.0, 0.06),
                    Range("camera_shift", -0.03, 0.03),
                    Range("camera_roll", -5.0, 5.0),
                    Range("light", 0.6, 1.4),
                    Range("hue", -20.0, 20.0),
                ),
            ),
        ),
    ),
    "rover-rivals": (
        "a rover that hunts another one, whose ways change",
        (
            Chapter("arena/pursuit", 10_000),
            Chapter("arena/pursuit", 10_000, (Change("opponent", 1.0),)),
            Chapter("arena/pursuit", 10_000, (Change("opponent", 2.0, every=2_000),)),
            Chapter("arena/pursuit", 10_000, (Change("gain", 0.5, "runner/left_wheel", over=5_000),)),
        ),
    ),
    "rover-seasons": (
        "a rover that looks for a marker in dusk, on ice, in new colours and in traffic",
        (
            Chapter("rover/goal", 15_000),
            Chapter("rover/goal", 15_000, (Change("light", 0.35, over=10_000), Change("mass", 1.5, "rover/chassis"))),
            Chapter("rover/goal", 15_000, (Change("friction", 0.25, every=5_000), Change("tilt", 2.0))),
            Chapter("rover/goal", 15_000, (Change("hue", 120.0, over=5_000), Change("sensor_delay", 0.1))),
            Chapter("rover/traffic", 15_000, (Change("gain", 0.2, "rover/left_wheel", at=7_500),)),
        ),
    ),
}
"""By the name after `life/`: one line about it, and its chapters."""
