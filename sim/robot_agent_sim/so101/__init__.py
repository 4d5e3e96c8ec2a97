"""The SO-101: a low-cost arm of five joints and a gripper, and tasks for it."""
