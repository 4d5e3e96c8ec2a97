"""The simplest body: three position servos, a camera, and a point to reach."""
