"""The safety gate's node: the only publisher to a robot's controller. It imports neither torch nor the agent."""
