"""The agent node, whose next decision takes as long as a file says: what a plan that is much too slow does to it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from robot_agent_ros.agent import node

from robot_agent.agent import Agent


class SlowDecisions:
    """In place of `Agent.act`.

    Args:
        path: of a file with seconds; it is taken away by the decision that obeys it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.act = Agent.act

    def __call__(self, agent: Agent, *args: Any, **named: Any) -> Any:
        if self.path.exists():
            seconds = float(self.path.read_text())
            self.path.unlink()
            time.sleep(seconds)
        return self.act(agent, *args, **named)


if __name__ == "__main__":
    slow = SlowDecisions(Path(sys.argv.pop(1)))
    Agent.act = lambda agent, *args, **named: slow(agent, *args, **named)  # type: ignore[method-assign]
    sys.exit(node.main())
