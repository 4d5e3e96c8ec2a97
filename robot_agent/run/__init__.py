"""A run: its folder, its records, and the life that fills it."""
