"""From raw streams to a latent."""
