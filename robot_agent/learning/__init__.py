"""Learning: losses, optimisers, and the stores through which learner and actors meet."""
