"""How the world answers actions, whatever the goal."""
