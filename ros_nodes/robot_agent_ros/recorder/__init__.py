"""Everything that a graph says, written to MCAP files that `ros2 bag` and Foxglove read."""
