"""Bodies on ROS 2: nodes around the same agent, and the gate between it and a robot."""
