"""An arm, a camera and a board: hand-eye poses, joint zeros, gear ratios and backlash."""
