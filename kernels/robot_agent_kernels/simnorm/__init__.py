"""Simplicial normalisation of a latent."""
