"""A latent of discrete codes."""
