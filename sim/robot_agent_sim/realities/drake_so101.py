"""The SO-101's official URDF in another physics engine, Drake, with servos of another make."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from math import exp, tanh
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_agent_sim.realities.elsewhere import ReachElsewhere
from robot_agent_sim.realities.public_so101 import public_files
from robot_agent_sim.so101.arm import JOINTS, Servo

TIMESTEP = 0.001
_TIP = "gripper_frame_link"


@dataclass(frozen=True)
class DrakeServo:
    """A position servo on a geared DC motor, as its maker would write it down, not as MuJoCo solves it.

    torque = min(stiffness |e|, stall torque) sign e - back-EMF speed, within what the voltage gives, less friction that
    falls from `stiction` to `friction` with speed (Stribeck). The rotor is Drake's own: an inertia behind a gear.
    """

    stiffness: float = Servo.stiffness
    """N·m/rad."""
    stall_torque: float = Servo.stall_torque
    """N·m."""
    no_load_speed: float = Servo.no_load_speed
    """rad/s."""
    friction: float = Servo.friction
    """N·m when moving."""
    stiction: float = 1.3
    """Friction at rest over friction when moving."""
    rotor_inertia: float = Servo.rotor_inertia / 345**2
    """kg·m² of the rotor itself."""
    gear_ratio: float = 345.0
    """Turns of the rotor for one of the joint."""
    dead_zone: float = 0.0
    """rad of error that the servo ignores."""

    def torque(self, error: float, speed: float) -> float:
        """N·m at a position error in rad and a speed in rad/s."""
        beyond = max(0.0, abs(error) - self.dead_zone) * (1 if error > 0 else -1)
        drive = max(-self.stall_torque, min(self.stall_torque, self.stiffness * beyond))
        return drive - self.stall_torque / self.no_load_speed * speed

    def rub(self, speed: float) -> float:
        """N·m of friction against a speed in rad/s."""
        return self.friction * (1 + (self.stiction - 1) * exp(-((speed / 0.1) ** 2))) * tanh(speed / 0.02)


@dataclass(frozen=True)
class DrakeBody:
    """How this arm differs from the one in the maker's CAD.

    Attributes:
        servos: a joint each, in the order of `JOINTS`.
        masses: factors on the links' masses and inertias, by the name of the URDF's link.
        delay: s from a command to the servo.
    """

    servos: tuple[DrakeServo, ...] = (DrakeServo(),) * len(JOINTS)
    masses: dict[str, float] = field(default_factory=dict)
    delay: float = 0.0


class DrakeArm:
    """The arm alone: commands in, positions out. Nothing touches anything; its meshes are left out.

    Args:
        body: how it differs from the CAD.
    """

    def __init__(self, body: DrakeBody | None = None) -> None:
        from pydrake.multibody.parsing import Parser
        from pydrake.multibody.plant import MultibodyPlant
        from pydrake.systems.analysis import Simulator

        self.body = body or DrakeBody()
        plant = MultibodyPlant(time_step=TIMESTEP)
        Parser(plant).AddModelsFromString(_bare_urdf(self.body.masses), "urdf")
        plant.WeldFrames(plant.world_frame(), plant.GetFrameByName("base_link"))
        self._joints = [plant.GetJointByName(name) for name in JOINTS]
        for joint, servo in zip(self._joints, self.body.servos, strict=True):
            actuator = plant.AddJointActuator(joint.name(), joint)
            actuator.set_default_rotor_inertia(servo.rotor_inertia)
            actuator.set_default_gear_ratio(servo.gear_ratio)
        plant.Finalize()
        self._plant: Any = plant
        self._context = plant.CreateDefaultContext()
        self._simulator = Simulator(plant, self._context)
        self._tip_frame = plant.GetFrameByName(_TIP)
        self._starts = [joint.position_start() for joint in self._joints]
        self._port = plant.get_actuation_input_port()
        self._pending: list[tuple[float, NDArray[np.float64]]] = []
        self._told = np.zeros(len(JOINTS))
        self._steps = 0

    def put(self, positions: NDArray[np.float64]) -> None:
        """Joints (6,) rad at rest, and told to stay."""
        self._context.SetTime(0.0)
        state = np.zeros(self._plant.num_positions())
        state[self._starts] = positions
        self._plant.SetPositions(self._context, state)
        self._plant.SetVelocities(self._context, np.zeros_like(state))
        self._pending, self._told, self._steps = [], np.array(positions, dtype=float), 0
        self._port.FixValue(self._context, np.zeros(len(JOINTS)))
        self._simulator.Initialize()

    @property
    def time(self) -> float:
        """s since `put`."""
        return self._steps * TIMESTEP

    def move(self, command: NDArray[np.float64] | None, seconds: float) -> None:
        """Goes on for some seconds, a whole number of steps, with a new command (6,) rad or without one."""
        if command is not None:
            self._pending.append((self.time + self.body.delay, np.array(command, dtype=float)))
        for _ in range(round(seconds / TIMESTEP)):
            while self._pending and self._pending[0][0] <= self.time + 1e-9:
                self._told = self._pending.pop(0)[1]
            self._port.FixValue(self._context, self._torques())
            self._steps += 1
            self._simulator.AdvanceTo(self.time)

    def _torques(self) -> NDArray[np.float64]:
        positions, speeds = self.positions(), self._speeds()
        return np.array(
            [
                servo.torque(told - position, speed) - servo.rub(speed)
                for servo, told, position, speed in zip(self.body.servos, self._told, positions, speeds, strict=True)
            ]
        )

    def positions(self) -> NDArray[np.float64]:
        """Of the joints (6,), rad."""
        found: NDArray[np.float64] = self._plant.GetPositions(self._context)[self._starts]
        return found

    def _speeds(self) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self._plant.GetVelocities(self._context)[self._starts]
        return found

    def tip(self) -> NDArray[np.float64]:
        """Of the fixed jaw (3,), m in the frame of the base."""
        found: NDArray[np.float64] = self._tip_frame.CalcPoseInWorld(self._context).translation()
        return found


class DrakeReach(ReachElsewhere):
    """`other:drake`: the URDF's links in Drake, moved by servos with stiction; it has no pictures, and nothing touches.

    Args:
        body: how the arm differs from the CAD.
        camera_backend: has no meaning here.
        options: see `ReachElsewhere`.

    Raises:
        ValueError: the stream `camera` is asked for.
    """

    render_mode = None

    def __init__(self, body: DrakeBody | None = None, camera_backend: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        if "camera" in self._streams:
            raise ValueError("the arm in Drake has no camera: ask for the stream proprio alone")
        self.metadata = {**self.metadata, "render_modes": []}
        self._arm = DrakeArm(body)

    def _put(self, positions: NDArray[np.float64], goal: NDArray[np.float64]) -> None:
        self._arm.put(positions)

    def _move(self, command: NDArray[np.float64], seconds: float) -> None:
        self._arm.move(command, seconds)

    def _positions(self) -> NDArray[np.float64]:
        return self._arm.positions()

    def _tip(self) -> NDArray[np.float64]:
        return self._arm.tip()

    def _picture(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        raise ValueError("the arm in Drake has no pictures: choose another body to look at")


def _bare_urdf(masses: dict[str, float]) -> str:
    """The public URDF without shapes, which Drake could not read, and with other masses."""
    tree = ElementTree.parse(public_files() / "so101_new_calib.urdf")
    robot = tree.getroot()
    for link in robot.findall("link"):
        for shape in [*link.findall("visual"), *link.findall("collision")]:
            link.remove(shape)
        factor, inertial = masses.get(link.get("name", ""), 1.0), link.find("inertial")
        if inertial is None or factor == 1.0:
            continue
        for element, names in (("mass", ("value",)), ("inertia", ("ixx", "ixy", "ixz", "iyy", "iyz", "izz"))):
            part = inertial.find(element)
            assert part is not None, "every link of the URDF with an inertia has both"
            for name in names:
                part.set(name, str(factor * float(part.get(name, "0"))))
    for transmission in robot.findall("transmission"):
        robot.remove(transmission)
    return ElementTree.tostring(robot, encoding="unicode")
