"""Standard messages to arrays and back, by their fields alone: rclpy's and a recording's are read alike."""
