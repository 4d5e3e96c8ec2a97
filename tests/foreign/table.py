"""Kinds of foreign environments, as public bug reports and other people's code have them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Box

from tests.foreign.world import SIZE, VECTOR, Frame, Kind, Reusing, World

EYE = Box(0, 255, (SIZE, SIZE, 3), np.uint8)


def _grey(frame: Frame) -> np.ndarray:
    return frame.picture[:, :, 0]


def _grey_rgb(frame: Frame) -> np.ndarray:
    return np.repeat(_grey(frame)[:, :, None], 3, axis=2)


def _rgba(frame: Frame) -> np.ndarray:
    return np.dstack([frame.picture, _grey(frame)])


def _shares(low: int, high: int) -> Any:
    """Integers by equal shares of [-1, 1]."""

    def native(action: np.ndarray) -> np.ndarray:
        count = high - low + 1
        return low + np.minimum(np.floor((action.astype(np.float64) + 1) / 2 * count), count - 1)

    return native


def _itself(frame: Frame) -> dict[str, Any]:
    info: dict[str, Any] = {"world": {}}
    info["world"]["again"] = info
    return info


# ---- what is for people ----

INFO = [
    Kind("info is None", "info", info=lambda frame: None),
    Kind("info is a list", "info", info=lambda frame: [frame.number]),
    Kind("state is a text", "info", info=lambda frame: {"state": "moving"}),
    Kind("state is a dict", "info", info=lambda frame: {"state": {"q": frame.reading}}),
    Kind("state changes its width", "info", info=lambda frame: {"state": np.zeros(1 + frame.number)}),
    Kind("state has uneven rows", "info", info=lambda frame: {"state": [[1.0], [1.0, 2.0]]}),
    Kind("success is an array of several", "info", info=lambda frame: {"success": np.ones(3, bool)}),
    Kind("success is an array of one", "info", info=lambda frame: {"is_success": np.array([True])}),
    Kind("success is a text", "info", info=lambda frame: {"success": "yes"}),
    Kind(
        "world is an array",
        "info",
        info=lambda frame: {"world": np.zeros((64, 64)), "chapter": np.int64(1)},
        is_reported=True,
    ),
    Kind(
        "world is an object with NaN and keys of numbers", "info", info=lambda frame: {"world": {1: np.nan, 2: set()}}
    ),
    Kind("drift is a number", "info", info=lambda frame: {"drift": 1.5, "chapter": [frame.number]}, is_reported=True),
    Kind(
        "drift is a list of anything",
        "info",
        info=lambda frame: {"drift": [None, 1, "a"], "chapter": {"a": 1}},
        is_reported=True,
    ),
    Kind("info contains itself", "info", info=_itself, is_reported=True),
]

# ---- pictures from render ----

FILMED = Kind("rendered", "pictures", streams=("camera", "proprio"), render=lambda frame: frame.picture)
FILMED = replace(FILMED, meant=lambda frame: {"proprio": frame.reading, "camera/main": frame.picture})
GREY = replace(
    FILMED, rendered=_grey_rgb, meant=lambda frame: {"proprio": frame.reading, "camera/main": _grey_rgb(frame)}
)
PICTURES = [
    replace(FILMED, name="floats from 0 to 1", render=lambda frame: frame.picture / 255),
    replace(FILMED, name="float32 from 0 to 1", render=lambda frame: (frame.picture / 255).astype(np.float32)),
    replace(FILMED, name="floats from 0 to 255", render=lambda frame: frame.picture.astype(np.float64)),
    replace(FILMED, name="int64", render=lambda frame: frame.picture.astype(np.int64)),
    replace(FILMED, name="RGBA", render=_rgba),
    replace(FILMED, name="channels first", render=lambda frame: np.moveaxis(frame.picture, 2, 0)),
    replace(FILMED, name="a list of frames", render_mode="rgb_array_list", render=lambda frame: [frame.picture]),
    replace(FILMED, name="a stack of frames", render=lambda frame: np.stack([_grey_rgb(frame), frame.picture])),
    replace(GREY, name="grey", render=_grey),
    replace(GREY, name="one channel", render=lambda frame: _grey(frame)[:, :, None]),
    replace(GREY, name="grey floats", render=lambda frame: _grey(frame) / 255),
    replace(FILMED, name="read-only memory, rows reversed", render=lambda frame: frame.picture[::-1][::-1]),
    replace(FILMED, name="render gives None", render=lambda frame: None, refused="picture is None"),
    replace(FILMED, name="render gives text", render=lambda frame: "up", refused="picture is a str"),
    replace(FILMED, name="two channels", render=lambda frame: frame.picture[:, :, :2], refused=r"\(16, 16, 2\)"),
    replace(FILMED, name="a picture with NaN", render=lambda frame: frame.picture * np.nan, refused="values from nan"),
    replace(FILMED, name="12 bits", render=lambda frame: frame.picture.astype(np.uint16) * 16, refused="uint16"),
    Kind(
        "no picture where a camera is asked for",
        "pictures",
        streams=("camera",),
        refused="no image in its observation and no rgb_array rendering",
    ),
    Kind(
        "render changes its size",
        "pictures",
        render=lambda frame: np.zeros((SIZE, SIZE + frame.number, 3), np.uint8),
        refused="pictures change from",
    ),
]

# ---- pictures and numbers in observations ----

SEEN = Kind("seen", "observations", streams=("camera",), meant=lambda frame: {"camera/main": frame.picture})
NESTED = spaces.Dict(
    {
        "b": spaces.Dict({"arm": Box(-1, 1, (2,), np.float64), "eyes": spaces.Dict({"left.far": EYE})}),
        "a": spaces.Tuple([Box(-1, 1, (), np.float32), Box(-1, 1, (1, 1), np.float32)]),
    }
)
OBSERVATIONS = [
    replace(SEEN, name="RGB", space=EYE, observe=lambda frame: frame.picture),
    replace(
        SEEN,
        name="RGB floats",
        space=Box(0, 1, (SIZE, SIZE, 3), np.float32),
        observe=lambda frame: (frame.picture / 255).astype(np.float32),
    ),
    replace(
        SEEN,
        name="grey picture",
        space=Box(0, 255, (SIZE, SIZE), np.uint8),
        observe=_grey,
        meant=lambda frame: {"camera/main": _grey_rgb(frame)},
    ),
    replace(
        SEEN,
        name="picture of one channel",
        space=Box(0, 255, (SIZE, SIZE, 1), np.uint8),
        observe=lambda frame: _grey(frame)[:, :, None],
        meant=lambda frame: {"camera/main": _grey_rgb(frame)},
    ),
    replace(SEEN, name="RGBA picture", space=Box(0, 255, (SIZE, SIZE, 4), np.uint8), observe=_rgba),
    replace(
        SEEN,
        name="picture with channels first",
        space=Box(0, 255, (3, SIZE, SIZE), np.uint8),
        observe=lambda frame: np.moveaxis(frame.picture, 2, 0),
    ),
    replace(
        SEEN,
        name="a stack of four grey frames",
        space=Box(0, 255, (4, SIZE, SIZE), np.uint8),
        observe=lambda frame: np.stack([_grey(frame)] * 4),
        refused="take one frame of a stack",
    ),
    Kind(
        "a matrix of numbers",
        "observations",
        space=Box(-1, 1, (5, 5), np.float64),
        observe=lambda frame: np.resize(frame.reading, (5, 5)),
        meant=lambda frame: {"proprio": np.resize(frame.reading, 25)},
    ),
    Kind(
        "nested dicts and tuples",
        "observations",
        streams=("camera", "proprio"),
        space=NESTED,
        observe=lambda frame: {
            "a": (frame.reading[0], frame.reading[1:2, None]),
            "b": {"arm": frame.reading[1:].astype(np.float64), "eyes": {"left.far": frame.picture}},
        },
        meant=lambda frame: {"proprio": frame.reading[[0, 1, 1, 2]], "camera/b/eyes/left_far": frame.picture},
    ),
    Kind(
        "numbers in bytes",
        "observations",
        space=Box(0, 255, (SIZE,), np.uint8),
        observe=lambda frame: frame.picture[0, :, 0],
        meant=lambda frame: {"proprio": frame.picture[0, :, 0].astype(np.float32)},
    ),
    Kind("a list instead of an array", "observations", observe=lambda frame: frame.reading.tolist()),
    Kind("float64 instead of float32", "observations", observe=lambda frame: frame.reading.astype(np.float64)),
    Kind(
        "an observation wider than its space",
        "observations",
        observe=lambda frame: np.zeros(4),
        refused=r"float64 \(4,\), its space declares",
    ),
    Kind("an observation that is None", "observations", observe=lambda frame: None, refused="its space declares"),
    Kind("discrete observations", "observations", space=spaces.Discrete(4), refused="expected a Box"),
    Kind("texts", "observations", space=spaces.Text(5), refused="expected a Box"),
]

# ---- rewards ----

REWARDS = [
    Kind("a reward in float32", "rewards", reward=np.float32),
    Kind("a reward in an array of one", "rewards", reward=lambda reward: np.array([reward])),
    Kind("a reward in an array without a dimension", "rewards", reward=np.array),
    Kind("a reward in a list in a list", "rewards", reward=lambda reward: [[reward]]),
    Kind("a reward that is true or false", "rewards", reward=lambda r: r > 0, reward_meant=lambda r: float(r > 0)),
    Kind("a huge reward", "rewards", reward=lambda r: r * 1e200, reward_meant=lambda r: r * 1e200, repeat=3),
    Kind(
        "an infinite reward at times",
        "rewards",
        reward=lambda reward: reward if reward < 1.4 else np.inf,
        reward_meant=lambda reward: reward if reward < 1.4 else np.inf,
        warned="the reward is inf",
    ),
    Kind(
        "rewards that are never finite",
        "rewards",
        reward=lambda reward: np.nan,
        refused="readings and rewards were not all finite",
    ),
    Kind("no reward", "rewards", reward=lambda reward: None, refused="the reward is None, expected one number"),
    Kind("two rewards", "rewards", reward=lambda reward: np.array([reward, 0]), refused="expected one number"),
    Kind("a reward in words", "rewards", reward=str, refused="expected one number"),
]

# ---- actions ----

ACTIONS = [
    Kind("a gripper of 0 and 1", "actions", actions=Box(0, 1, (1,), np.int64), native=_shares(0, 1)),
    Kind("integers from -2 to 2", "actions", actions=Box(-2, 2, (3,), np.int8), native=_shares(-2, 2)),
    Kind("bytes", "actions", actions=Box(0, 255, (2,), np.uint8), native=_shares(0, 255)),
    Kind(
        "a matrix of actions",
        "actions",
        actions=Box(-2.0, 4.0, (2, 2), np.float32),
        native=lambda action: (1 + 3 * action.astype(np.float64)).reshape(2, 2),
    ),
    Kind(
        "an action without a dimension",
        "actions",
        actions=Box(-2.0, 4.0, (), np.float32),
        native=lambda action: 1 + 3 * action.astype(np.float64)[0],
    ),
    Kind("discrete actions", "actions", actions=spaces.Discrete(3), refused="expected a Box"),
    Kind("actions without bounds", "actions", actions=Box(-np.inf, np.inf, (2,)), refused="infinite bounds"),
    Kind("integers without bounds", "actions", actions=Box(-np.inf, np.inf, (2,), np.int64), refused="infinite bounds"),
    Kind("no action", "actions", actions=Box(-1, 1, (0,)), refused="is empty"),
]

# ---- buffers that are written again ----

OWN_FORM = spaces.Dict({"proprio": Box(-np.inf, np.inf, (3,), np.float32), "camera/main": EYE})
GOAL = spaces.Dict({"observation": VECTOR, "achieved_goal": VECTOR, "desired_goal": VECTOR})
BUFFERS = [
    Kind("one array for all observations", "buffers", make=Reusing),
    Kind(
        "one array for all goals",
        "buffers",
        make=Reusing,
        space=GOAL,
        observe=lambda frame: {
            "observation": frame.reading,
            "achieved_goal": frame.reading[::-1],
            "desired_goal": frame.reading + 1,
        },
        meant=lambda frame: {
            "proprio": frame.reading,
            "achieved_goal": frame.reading[::-1],
            "desired_goal": frame.reading + 1,
        },
        warned="hindsight is off",
    ),
    Kind(
        "goals that are missing",
        "observations",
        space=GOAL,
        observe=lambda frame: {"observation": frame.reading},
        refused="has no 'achieved_goal', which its space declares",
    ),
    replace(SEEN, name="one frame for all", group="buffers", make=Reusing, space=EYE, observe=lambda f: f.picture),
    replace(FILMED, name="one canvas for all pictures", group="buffers", make=Reusing),
    Kind(
        "the common form in arrays that are written again",
        "buffers",
        make=Reusing,
        is_adapted=False,
        space=OWN_FORM,
        observe=lambda frame: {"proprio": frame.reading, "camera/main": frame.picture},
        meant=lambda frame: {"proprio": frame.reading, "camera/main": frame.picture},
        actions=Box(-1, 1, (2,), np.float32),
        native=lambda action: action,
        metadata={"control_dt": 0.1},
        info=lambda frame: {"state": frame.reading},
    ),
]

# ---- time, ends, errors ----


class _Closing(World):
    def close(self) -> None:
        raise OSError("the window is gone")


def _failing(returned: Any) -> Any:
    raise ZeroDivisionError("division by zero")


TIME = [
    Kind("ends within an action repeat", "time", repeat=4),
    Kind("an episode of one frame", "time", length=1),
    Kind("an episode of one frame, repeated", "time", length=1, repeat=5),
    Kind("an episode that never ends", "time", length=10**9),
    Kind("ends in numpy", "time", flag=np.bool_),
    Kind("ends in arrays", "time", flag=lambda over: np.array([over])),
    Kind("ends as 0 and 1", "time", flag=int),
    Kind("control_dt is an int", "time", metadata={"control_dt": 2}, control_dt=2.0),
    Kind("control_dt in float32", "time", metadata={"control_dt": np.float32(0.25)}, control_dt=0.25, repeat=2),
    Kind("dt is an int", "time", metadata={}, dt=3, control_dt=3.0),
    Kind("control_dt is 0", "time", metadata={"control_dt": 0}, refused="its control_dt is 0"),
    Kind("close raises", "time", make=_Closing, warned="close raised OSError: the window is gone"),
    Kind("step raises", "time", returned_by_step=_failing, refused="step raised ZeroDivisionError: division by zero"),
    Kind("reset raises", "time", returned_by_reset=_failing, refused="reset raised ZeroDivisionError"),
    Kind("reset without info", "time", returned_by_reset=lambda given: given[0], refused="since 0.26"),
    Kind("step of four", "time", returned_by_step=lambda given: (*given[:2], given[3], given[4]), refused="since 0.26"),
    Kind("an end that is NaN", "time", flag=lambda over: np.nan, refused="the terminated is nan"),
    Kind("no end at all", "time", flag=lambda over: None, refused="the terminated is None"),
]

# ---- readings that are not finite ----


def _with(frame: Frame, value: float) -> np.ndarray:
    """Every fourth frame has another third reading."""
    return np.where([False, False, frame.number % 4 == 1], np.float32(value), frame.reading).astype(np.float32)


OPEN = Box(-np.inf, np.inf, (3,), np.float32)
READINGS = [
    Kind(
        "an infinite reading with bounds",
        "readings",
        observe=lambda frame: _with(frame, np.inf),
        meant=lambda frame: {"proprio": _with(frame, 1.0)},
    ),
    Kind(
        "a reading beyond its bounds",
        "readings",
        observe=lambda f: f.reading * 9,
        meant=lambda f: {"proprio": f.reading * 9},
    ),
    Kind(
        "an infinite reading without bounds",
        "readings",
        space=OPEN,
        observe=lambda frame: _with(frame, -np.inf),
        meant=lambda frame: {"proprio": _with(frame, -np.inf)},
        valid=lambda frame: frame.number % 4 != 1,
        warned=r"proprio\[2\] is -inf",
    ),
    Kind(
        "NaN at times",
        "readings",
        observe=lambda frame: _with(frame, np.nan),
        meant=lambda frame: {"proprio": _with(frame, np.nan)},
        valid=lambda frame: frame.number % 4 != 1,
        warned=r"proprio\[2\] is nan",
    ),
    Kind(
        "readings that are never finite",
        "readings",
        space=OPEN,
        observe=lambda frame: np.full(3, np.inf, np.float32),
        refused="declare finite bounds in the observation space",
    ),
]

KINDS = INFO + PICTURES + OBSERVATIONS + REWARDS + ACTIONS + BUFFERS + TIME + READINGS
