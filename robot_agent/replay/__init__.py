"""Experience that stays: every transition, on disk, readable by many."""
