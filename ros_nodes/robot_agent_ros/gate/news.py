"""What the gate says of its states and refusals, on the console and /rosout. No rclpy in here."""

from __future__ import annotations

from robot_agent_bodies.gate.gate import Refusal, Status

STATUSES = {
    Status.WAITING_FOR_JOINTS: "joint states do not come",
    Status.WAITING_FOR_REST: "it begins when all joints rest",
    Status.OUTSIDE_LIMITS: "a joint is beyond its limits: move it back by hand",
    Status.FOLLOWING: "commands move the robot",
    Status.HOLDING: "no fresh command comes",
    Status.STOPPED: "gate/stop was called; gate/reset goes on",
    Status.NOT_FOLLOWING: "the robot does not go where the output goes; gate/reset goes on",
    Status.NOT_ENABLED: "gate/enable has not said that the robot may move",
    Status.JOINTS_LOST: "joint states do not come any more",
    Status.CLOCK_JUMPED: "a clock jumped; commands are refused for a moment",
    Status.CLOCK_STOPPED: "use_sim_time is set, and /clock stands still or does not come",
}
"""What a status means, where its detail does not say it."""
REFUSALS = {
    Refusal.MALFORMED: "expected one point, with one value for each name",
    Refusal.MISSING_JOINT: "expected all joints of the gate",
    Refusal.UNKNOWN_JOINT: "expected the joints of the gate only",
    Refusal.DUPLICATE_JOINT: "expected each joint once",
    Refusal.NON_FINITE: "expected finite numbers",
    Refusal.STALE_STAMP: "its stamp is too old: compare clocks, and `command_timeout` or `joint_timeout`",
    Refusal.FUTURE_STAMP: "its stamp lies in the future: compare clocks, and `future_tolerance`",
    Refusal.STALE_SOURCE: "it was sent too long ago: compare clocks, and `command_timeout`",
    Refusal.FUTURE_SOURCE: "it was sent in the future by the sender's clock",
    Refusal.WRONG_FRAME: "expected the frame of `frame_id`",
    Refusal.FOREIGN_PUBLISHER: "another node sends commands: only the first is obeyed",
}
"""What was wrong; a refusal that is not here has the name of a status, which is said anyway."""
