"""The gate's output: its publisher, who listens there, and who else publishes there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rclpy.node import Node
from rclpy.subscription import Subscription
from robot_agent_bodies.gate.config import GateConfig

from robot_agent_ros.endpoints import message_class, publisher, subscription_profile
from robot_agent_ros.gate.controller import Controller
from robot_agent_ros.gate.speakers import UNNAMED, full_name
from robot_agent_ros.graph import RECORDER, Topic
from robot_agent_ros.polling import MOST, UNREADABLE, Polled, waiting

_LOOKS = 0.25
"""s between two looks at the graph, when no listener came or went."""
_DISCOVERY = 2.0
"""s in which listeners are found, and their names."""


class Outlet:
    """Publishes to the controller, as long as it is the one that the gate is configured for.

    Every tick is `poll`, then `publish`.

    Args:
        node: of the publisher.
        topic: row of the table.
        config: of the gate.

    Attributes:
        controller: what is known of it.
        rivals: names of others that publish on the topic.
        is_heard: somebody listens who is no recorder.
        complaint: nobody can hear the output, and why, in a sentence; empty if somebody can.
    """

    def __init__(self, node: Node, topic: Topic, config: GateConfig) -> None:
        self._node, self._type = node, topic.type.replace("/", "/msg/")
        self._silence = config.owner_timeout
        self.topic = node.resolve_topic_name(topic.name)
        before = self._own_ids()
        self._publisher = publisher(node, topic)
        profile = subscription_profile(topic)
        profile.depth = MOST
        self._echo: Subscription[Any] = node.create_subscription(
            message_class(topic), topic.name, lambda message: None, profile, callback_group=Polled(), raw=True
        )
        self._own = self._own_ids() - before
        self.controller = Controller(node, self.topic.rsplit("/", 1)[0], config)
        self.rivals: tuple[str, ...] = ()
        self.is_heard, self.complaint = False, ""
        self._heard: dict[bytes, float] = {}
        """When each other publisher was heard last, ever."""
        self._listeners = -1
        self._subscriptions: frozenset[bytes] = frozenset()
        self._began: float | None = None
        self._looks_at = self._unnamed_since = 0.0
        self._is_current = self._is_sending = self._was_sent = False

    @property
    def why(self) -> str:
        """Why the output must not be sent, in a sentence; empty if it may."""
        if not self.controller.why and not self._is_current and not self._is_sending:
            return f"somebody listens on {self.topic} whose name is not known yet"
        return self.controller.why

    def publish(self, message: Any) -> None:
        """Sends, unless `why` forbids it.

        Who begins to listen while outputs are sent is most likely an observer, and gets them; a robot that is silent
        begins with listeners that are known.
        """
        if not self.why and (self._is_sending or self._publisher.get_subscription_count() == self._listeners):
            self._publisher.publish(message)
            self._was_sent = True

    def poll(self, now: float) -> None:
        """Looks around; `now` in seconds of a clock that never jumps."""
        if self._began is None:
            self._began = self._unnamed_since = now
        self._is_sending, self._was_sent = self._was_sent, False
        self._listen(now)
        listeners = self._publisher.get_subscription_count()
        if listeners != self._listeners or now >= self._looks_at:
            self._is_sending &= listeners >= self._listeners
            self._look(listeners, now)
        self.controller.check(self._subscriptions)

    def _listen(self, now: float) -> None:
        try:
            for _, info in waiting(self._echo):
                gid = info.get("publisher_gid")  # not before kilted
                sender = None if gid is None else bytes(gid["data"])
                if sender is not None and sender not in self._own:
                    if sender not in self._heard:
                        self._looks_at = now
                    self._heard[sender] = now
        except UNREADABLE:
            pass

    def _look(self, listeners: int, now: float) -> None:
        self._looks_at = now + _LOOKS
        own = self._node.get_fully_qualified_name()
        infos = [info for info in self._node.get_subscriptions_info_by_topic(self.topic) if _id(info) not in self._own]
        # The graph may know of a listener later than the publisher does, which sends to it already.
        if all(full_name(info) != UNNAMED for info in infos):
            self._unnamed_since = now
        is_named = self._unnamed_since == now or now - self._unnamed_since > _DISCOVERY  # not every listener is of ROS
        self._is_current = is_named and len(infos) >= listeners - 1
        self._listeners = listeners if self._is_current else -1
        self._subscriptions = frozenset(_id(info) for info in infos if full_name(info) == self.controller.name)
        self._complain([info for info in infos if full_name(info) != own and not _is_recorder(info)], now)
        self._find_rivals(own, now)

    def _complain(self, infos: Iterable[Any], now: float) -> None:
        strange = {info.topic_type: full_name(info) for info in infos if info.topic_type != self._type}
        self.is_heard = any(info.topic_type == self._type for info in infos)
        self.complaint = ""
        if self.is_heard or self._began is None or now - self._began < _DISCOVERY:
            return
        self.complaint = f"nobody listens on {self.topic}: start the controller, or remap the topic to it"
        for kind, name in strange.items():
            self.complaint = (
                f"{name} takes {kind} on {self.topic}, and the gate sends {self._type}, which it cannot hear"
            )

    def _find_rivals(self, own: str, now: float) -> None:
        """Who else publishes: whoever is in the graph, or was heard lately.

        A node of the gate's own name that was never heard is its predecessor that was killed, which DDS takes a while
        to notice.
        """
        unlisted = {one for one, at in self._heard.items() if now - at <= self._silence}
        found = []
        for info in self._node.get_publishers_info_by_topic(self.topic):
            gid = _id(info)
            unlisted.discard(gid)
            if gid not in self._own and (full_name(info) not in (own, UNNAMED) or gid in self._heard):
                found.append(full_name(info))
        self.rivals = (*found, *(UNNAMED for _ in unlisted))

    def _own_ids(self) -> set[bytes]:
        """Of the endpoints on the topic whose node has this node's name, another node of that name included."""
        node, name = self._node, self._node.get_fully_qualified_name()
        infos = [*node.get_publishers_info_by_topic(self.topic), *node.get_subscriptions_info_by_topic(self.topic)]
        return {_id(info) for info in infos if full_name(info) == name}


def _id(info: Any) -> bytes:
    return bytes(info.endpoint_gid)


def _is_recorder(info: Any) -> bool:
    return info.node_name == RECORDER.name or info.node_name.startswith("rosbag2")
