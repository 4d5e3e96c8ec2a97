"""Recordings whose truth is known: corners alone, or rendered pictures."""
