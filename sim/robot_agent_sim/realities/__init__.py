"""Bodies that stand for the real robot: our own worlds as they were not trained in, and bodies that others made."""
