"""Latent rollouts of action sequences."""
