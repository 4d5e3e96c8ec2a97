"""Wrappers that bring any body to the common form: actions in [-1, 1], flat observations, frames counted."""
