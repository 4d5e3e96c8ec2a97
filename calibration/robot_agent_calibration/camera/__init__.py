"""Intrinsics and distortion of a camera, from views of a ChArUco board."""
