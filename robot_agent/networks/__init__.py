"""Building blocks of the learned modules."""
