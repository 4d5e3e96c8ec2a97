"""Cameras for MuJoCo models: by OpenGL where there is one, by ray casting where there is none."""
