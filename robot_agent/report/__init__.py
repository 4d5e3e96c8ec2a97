"""What a run came to, as a page for people."""

from robot_agent.report.page import write_report

__all__ = ["write_report"]
