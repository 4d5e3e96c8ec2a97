"""How good the agent is, and how good its model of the world."""
