"""Recordings of ROS 2 read back without ROS: MCAP and sqlite3, whole or split, damaged or not."""
