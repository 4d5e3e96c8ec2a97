"""What is worth doing for a goal: reward, value, policy, and the door through which goals come in."""
