"""What the rollout core is measured against, and how."""
