"""The names of dm_control's suite, so that worlds can be listed and checked without importing a simulator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Domain:
    """A body of dm_control's suite and the tasks it is given, all by dm_control's own names."""

    name: str
    body: str
    tasks: tuple[str, ...]


DOMAINS = (
    Domain("acrobot", "a double pendulum with a motor at the elbow", ("swingup", "swingup_sparse")),
    Domain("ball_in_cup", "a cup that moves in a plane and a ball on a string", ("catch",)),
    Domain(
        "cartpole",
        "a cart on a rail with one or more poles",
        ("balance", "balance_sparse", "swingup", "swingup_sparse", "two_poles", "three_poles"),
    ),
    Domain("cheetah", "a planar two-legged runner", ("run",)),
    Domain("dog", "a dog with muscle-like actuators", ("stand", "walk", "trot", "run", "fetch")),
    Domain("finger", "a planar finger that turns a hinged body", ("spin", "turn_easy", "turn_hard")),
    Domain("fish", "a fish with fins and a tail", ("upright", "swim")),
    Domain("hopper", "a planar one-legged hopper", ("stand", "hop")),
    Domain("humanoid", "a simplified humanoid", ("stand", "walk", "run", "run_pure_state")),
    Domain("humanoid_CMU", "a humanoid with the CMU motion-capture skeleton", ("stand", "walk", "run")),
    Domain("lqr", "a chain of masses and springs with a quadratic cost", ("lqr_2_1", "lqr_6_2")),
    Domain(
        "manipulator",
        "a planar arm with a gripper, a ball and a peg",
        ("bring_ball", "bring_peg", "insert_ball", "insert_peg"),
    ),
    Domain("pendulum", "a pendulum with a motor too weak to lift it at once", ("swingup",)),
    Domain("point_mass", "a point mass in a plane with two actuators", ("easy", "hard")),
    Domain("quadruped", "a four-legged walker", ("walk", "run", "escape", "fetch")),
    Domain("reacher", "a planar two-link arm and a target", ("easy", "hard")),
    Domain("stacker", "a planar arm with a gripper and boxes to stack", ("stack_2", "stack_4")),
    Domain("swimmer", "a planar chain that swims to a target", ("swimmer6", "swimmer15")),
    Domain("walker", "a planar two-legged walker", ("stand", "walk", "run")),
)
