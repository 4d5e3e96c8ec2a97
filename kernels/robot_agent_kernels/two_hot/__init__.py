"""Scalars as distributions over bins on a symlog scale."""
