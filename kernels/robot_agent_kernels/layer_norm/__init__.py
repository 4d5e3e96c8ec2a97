"""Layer normalisation without parameters."""
