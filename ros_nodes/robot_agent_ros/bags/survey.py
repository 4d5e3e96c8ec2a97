"""A recording looked through before it is lived again: who spoke, how often, what counted, and what moved."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from robot_agent_bags.bag import Bag, Recorded
from robot_agent_bags.errors import BagError
from scipy.optimize import linear_sum_assignment

from robot_agent_ros.agent.body import RobotBody, ServoBody
from robot_agent_ros.agent.config import AgentConfig
from robot_agent_ros.agent.partial import Partial
from robot_agent_ros.bags.joints import Moved
from robot_agent_ros.bags.obeyed import ASKED, Word, not_accepted, not_obeyed, refused_by_gate
from robot_agent_ros.bags.orders import FAST, SLOW, Order, Point, read_order, spacing_of, spread, thinned
from robot_agent_ros.bags.publishers import BEYOND, FASTEST, JUMP, SEVERAL, astray, check_jumps, check_numbers
from robot_agent_ros.bags.roles import ACCEPTANCES, COMMANDS, GATE, JOINTS, TIME, Role
from robot_agent_ros.graph import POSITIONS, TRAJECTORY, TWIST
from robot_agent_ros.messages.error import MessageError
from robot_agent_ros.messages.stamps import to_nanoseconds, to_seconds

OTHER_CLOCK = 1.0
"""s between stamps and the times of publication beyond which they are of two clocks."""
FOLLOWED_AFTER = 0.1
"""s after a command, when joints are on their way to it."""
DIGITS = 16
"""Of a count that something damaged."""
OUTPUTS = (TRAJECTORY.name, POSITIONS.name, TWIST.name)
"""Of the gate, to controllers: what it sent itself counts."""
POSITIONS_TYPE = "std_msgs/msg/Float64MultiArray"


@dataclass
class Survey:
    """What a recording holds for a body.

    Attributes:
        orders: what was asked of it, in time, with why some of them are no actions.
        spacing: s between two commands, the median; None of fewer than two.
        between: commands that are no decisions, since they came faster than control periods.
        late: s by which the recorder's clock is ahead of that of stamps; 0 where they are one.
        commands: all of them.
        astray: stamps of joint states that are far from those before and after.
    """

    orders: list[Order]
    spacing: float | None
    between: int
    late: float
    commands: int
    astray: frozenset[float]


def survey(bag: Bag, roles: Mapping[str, Role], body: RobotBody, config: AgentConfig) -> Survey:
    """Looks through a recording.

    Raises:
        BagError: it is not what the parameters describe: other joints, another rate, two publishers on a topic.
    """
    topic_of = {role: topic for topic, role in roles.items()}
    heard = _Heard(Partial(body.joints, config.largest_joint_age))
    for one in bag.messages(
        {topic for topic, role in roles.items() if role in (JOINTS, COMMANDS, GATE, ACCEPTANCES, TIME)}
    ):
        heard.take(roles[one.topic], one)
    moved = heard.moved
    if not len(moved.stamps) and heard.published:
        raise BagError(
            f"{topic_of[JOINTS]} of {bag.path} has no joint states of {', '.join(body.joints)}, only of "
            f"{', '.join(sorted(heard.names)) or 'none'}{heard.why}: give the world or the parameters of this robot"
        )
    if len(heard.published) > SEVERAL and np.ptp(heard.published) == 0:
        raise BagError(f"all of {bag.path} was logged at one time, so when it came is not known: record it again")
    late = heard.late
    read = [
        read_order(one, number, body, one.published - late if clock is None else clock)
        for number, (one, clock) in enumerate(heard.commands)
    ]
    orders = [order for order, _ in read]
    if not topic_of[COMMANDS].endswith(OUTPUTS):
        orders = not_accepted(orders, heard.accepted) if heard.accepted else refused_by_gate(orders, heard.statuses)
    _check_publishers(bag, topic_of, heard, orders, body)
    away = astray(moved.positions, np.maximum(JUMP, FASTEST * np.abs(np.diff(moved.stamps))))
    check_jumps(bag, topic_of[JOINTS], away)
    moved = Moved(moved.stamps[~away], moved.positions[~away])
    dt = body.spec.control_dt
    every = list(_in_time(orders, [points for _, points in read], moved, dt))
    spacing = spacing_of([order for order in every if not order.refused])
    _check_spacing(bag, topic_of[COMMANDS], spacing, dt)
    orders = thinned(every, spacing, dt) if spacing is not None and spacing < FAST * dt else every
    between = len(every) - len(orders)
    if isinstance(body, ServoBody):
        if bag.topics[topic_of[COMMANDS]].types == (POSITIONS_TYPE,):
            _check_order(bag, topic_of[COMMANDS], orders, moved, body)
        orders = not_obeyed(orders, moved)
    return Survey(orders, spacing, between, late, len(heard.commands), frozenset(heard.moved.stamps[away]))


@dataclass
class _Heard:
    """What is kept of messages, but of pictures."""

    partial: Partial
    stamps: list[float] = field(default_factory=list)
    positions: list[NDArray[np.float64]] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    why: str = ""
    statuses: list[Word] = field(default_factory=list)
    accepted: set[int] = field(default_factory=set)
    commands: list[tuple[Recorded, float | None]] = field(default_factory=list)
    numbers: dict[str, list[int]] = field(default_factory=dict)
    clock: float | None = None
    published: list[float] = field(default_factory=list)

    def take(self, role: Role, one: Recorded) -> None:
        """Another message."""
        if role is TIME:
            self.clock = to_seconds(one.message.clock)
        elif role is ACCEPTANCES:
            self.accepted.add(to_nanoseconds(one.message))
        elif role is GATE:
            self.statuses.append(_status(one))
        elif role is COMMANDS:
            self.commands.append((one, self.clock))
        else:
            self._feel(one)

    def _feel(self, one: Recorded) -> None:
        self.published.append(one.published)
        stamp = to_seconds(one.message.header.stamp)
        if stamp:
            self.delays.append(one.published - stamp)
        else:  # without one, as of when it was sent
            stamp = one.published if self.clock is None else self.clock
        self.names |= set(one.message.name)
        for name in set(one.message.name) & set(self.partial.joints):
            self.numbers.setdefault(name, []).append(one.sequence)
        try:
            together = self.partial.add(one.message, stamp)
        except MessageError as error:
            self.why = f" ({error})"
            return
        if together is not None:
            self.stamps.append(together[0])
            self.positions.append(together[1])

    @property
    def moved(self) -> Moved:
        """Where the joints were."""
        width = len(self.partial.joints)
        return Moved(np.array(self.stamps), np.array(self.positions, np.float64).reshape(-1, width))

    @property
    def late(self) -> float:
        """s by which the clock of publishers is ahead of that of stamps; 0 if they are one, or if /clock says it."""
        if self.clock is not None or not self.delays or abs(np.median(self.delays)) <= OTHER_CLOCK:
            return 0.0
        return min(self.delays)


def _check_publishers(
    bag: Bag, topic_of: Mapping[Role, str], heard: _Heard, orders: Sequence[Order], body: RobotBody
) -> None:
    for numbers in heard.numbers.values():  # of each joint: an arm and its gripper may have a publisher each
        check_numbers(bag, topic_of[JOINTS], numbers)
    counted = [order for order in orders if not order.refused]  # an agent that the gate refused did nothing
    check_numbers(bag, topic_of[COMMANDS], [heard.commands[order.number][0].sequence for order in counted])
    if isinstance(body, ServoBody):
        wanted = np.array([order.wanted for order in counted])
        away = astray(wanted.reshape(-1, len(body.joints)), BEYOND * body.largest_change)
        check_jumps(bag, topic_of[COMMANDS], away)


def _status(one: Recorded) -> Word:
    values = {value.key: value.value for value in one.message.values}
    accepted = values.get("accepted", "")
    return Word(
        one.published, one.message.message, int(accepted) if accepted.isdecimal() and len(accepted) < DIGITS else None
    )


def _check_spacing(bag: Bag, topic: str, spacing: float | None, dt: float) -> None:
    if spacing is not None and spacing > SLOW * dt:
        raise BagError(
            f"commands on {topic} of {bag.path} come every {1e3 * spacing:.0f} ms, slower than {SLOW:g} periods of the "
            f"{1e3 * dt:.0f} ms of a decision: set control_rate to {1 / spacing:.3g} in the parameters, for a run of it"
        )


def _in_time(orders: Sequence[Order], points: Sequence[Sequence[Point]], moved: Moved, dt: float) -> Iterator[Order]:
    """The orders with those of the points of trajectories among them."""
    before: NDArray[np.float64] | None = None
    counted = deque(order.at for order in orders if not order.refused)
    for order, knots in zip(orders, points, strict=True):
        if order.refused:
            yield order
            continue
        counted.popleft()
        until = counted[0] if counted else np.inf
        for one in spread(order, knots, before if before is not None else moved.at(order.at), dt, until):
            before = one.wanted
            yield one


def _check_order(bag: Bag, topic: str, orders: Sequence[Order], moved: Moved, body: RobotBody) -> None:
    """Refuses numbers without names that the joints followed in another order."""
    pairs = [(order.wanted, moved.at(order.at + FOLLOWED_AFTER)) for order in orders if order.wanted is not None]
    seen = [(wanted, there) for wanted, there in pairs if there is not None]
    if not seen:
        return
    wanted, there = (np.array(part) for part in zip(*seen, strict=True))
    apart = np.median(np.abs(there[:, :, None] - wanted[:, None, :]), axis=0)
    _, fits = linear_sum_assignment(apart)
    best, given = apart[np.arange(len(fits)), fits].sum(), np.trace(apart)
    if best < 0.5 * given and given > ASKED:
        names = [body.joints[int(np.flatnonzero(fits == place)[0])] for place in range(len(fits))]
        raise BagError(
            f"the joints followed the numbers on {topic} of {bag.path} in the order {', '.join(names)}, and not as "
            f"{', '.join(body.joints)}: name them so in the parameters"
        )
