"""What the recorder can be told."""

from __future__ import annotations

from dataclasses import dataclass

from robot_agent_bodies.parameters import parameter

from robot_agent_ros.errors import ParameterError

COMPRESSIONS = ("zstd", "lz4", "none")


@dataclass(frozen=True)
class RecorderConfig:
    """Parameters of the recorder."""

    folder: str = parameter(
        "recordings", "Where recordings go, each into a folder of its own named by the time", read_only=True
    )
    topics: tuple[str, ...] = parameter(
        (), "Whole names of the topics to record; with none, all of this namespace and those of all robots"
    )
    exclude: tuple[str, ...] = parameter((), "Whole names of topics that are left out")
    compression: str = parameter("zstd", "Of chunks", choices=COMPRESSIONS, read_only=True)
    file_megabytes: float = parameter(
        256.0, "A file that has grown beyond this is ended and another begun", unit="MB", low=0.1, read_only=True
    )
    total_megabytes: float = parameter(
        8192.0, "The oldest files in the folder are deleted to stay below this", unit="MB", low=0.2, read_only=True
    )
    free_megabytes: float = parameter(
        1024.0, "Recording pauses while the disk has less than this left, for others to go on", unit="MB", low=0
    )
    chunk_seconds: float = parameter(
        1.0, "What is recorded is handed to the system so often; a kill costs no more", unit="s", low=0.05, high=60
    )
    queue_megabytes: float = parameter(
        128.0, "Messages may wait for a slow disk up to this; what comes then is dropped and counted", unit="MB", low=1
    )

    def __post_init__(self) -> None:
        if self.total_megabytes < 2 * self.file_megabytes:
            raise ParameterError(
                f"total_megabytes is {self.total_megabytes:g}, expected at least twice file_megabytes, "
                f"{2 * self.file_megabytes:g}: the oldest file can only go when it is not the newest"
            )
