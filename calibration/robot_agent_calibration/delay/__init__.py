"""How late images are after joints, and joints after commands."""
