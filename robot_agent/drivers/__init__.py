"""Drivers step bodies; the loop decides. Behaviour is added by listeners."""

from robot_agent.drivers.driver import Driver, EpisodeSummary, Listener

__all__ = ["Driver", "EpisodeSummary", "Listener"]
