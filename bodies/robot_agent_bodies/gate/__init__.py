"""The safety gate's mind: which commands count, and what a robot gets. It knows neither ROS nor the agent."""
