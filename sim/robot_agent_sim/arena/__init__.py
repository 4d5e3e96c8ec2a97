"""Worlds that several agents share."""
