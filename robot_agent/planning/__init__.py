"""Decision-time planning: what the rollout core needs, prepared."""
