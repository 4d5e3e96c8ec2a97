"""Bodies in simulation as gymnasium environments. Knows nothing of the agent that lives in them.

Importing this package, and listing its worlds, loads no simulator: MuJoCo is imported by the first `make`.
"""

from robot_agent_sim.arena.opponents import OPPONENTS
from robot_agent_sim.cameras.platform import select_gl_platform
from robot_agent_sim.worlds import UnknownWorldError, World, list_worlds, make, make_parallel, register

__all__ = ["OPPONENTS", "UnknownWorldError", "World", "list_worlds", "make", "make_parallel"]

# MuJoCo reads the choice once, when it is first imported.
select_gl_platform()
register()
