"""How the other agent of a shared world can behave; loads no simulator."""

OPPONENTS = ("scripted", "random", "still")
"""By name; the order is that of `solo.BEHAVIOURS`, and so of `Drift`'s change `opponent`."""
