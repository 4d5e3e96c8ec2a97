"""A MuJoCo world as a robot on ROS 2: it publishes and obeys what a robot would."""
