"""The command line: minds into bodies. The only part that may import everything, and it imports lazily."""
