"""Recordings read back: by whom they were made does not matter, and no ROS is needed."""
