"""Worlds that change while an agent lives in them."""
