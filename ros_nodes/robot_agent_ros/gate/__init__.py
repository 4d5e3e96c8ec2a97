"""The safety gate: the only publisher to a robot's controller. It imports neither torch nor the agent."""
