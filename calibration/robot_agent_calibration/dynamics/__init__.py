"""System identification: friction, damping, inertia, stiffness, masses and delay of an arm, from how it moves."""
