"""What stands between a mind and a body on a wire, without ROS: the gate that keeps a robot within its limits."""
