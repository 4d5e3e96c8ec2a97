"""A differential-drive rover with a forward camera, and worlds for one or several of them."""
