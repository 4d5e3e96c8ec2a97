"""How far the joints are from where their encoders say, view by view: the sizes of random effects.

The likelihood is the restricted one of Patterson and Thompson (1971): what a view's misfit says of play, after what was
fitted to the misfits has taken its share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from robot_agent_calibration.geometry import Array

LEVER = 0.1
"""m; a slack of 1 mm goes with one of 10 mrad."""
UNLIKE = 0.5
"""Standard deviation of the logarithm of one joint's play against the others': they are servos of one make, and few
views tell a joint with little play from one whose play another joint explains."""
LEAST_PLAY, MOST_PLAY = 2e-4, 0.2
"""rad."""
LEAST_SLACK, MOST_SLACK = 2e-5, 0.05
"""m; keeps weights finite where the arm is perfect."""
UNIFORM_ERROR = 0.75
"""Standard error of a standard deviation, of that where what varies is normal. Uniform play that is seen alone has
0.63, (1.8 - 1) over (3 - 1) rooted; that of the other joints, which is seen with it, adds to it."""
FURTHEST = 0.5 * (1.959964 * UNIFORM_ERROR) ** 2
"""That the negative logarithm of the likelihood rises to the ends of a 95 % interval."""

Loss = Callable[[Array], float]
"""Of the logarithms of the joints' play and of the slack (j + 1,)."""


@dataclass(frozen=True)
class Play:
    """What is random in the arm's poses.

    Args:
        joints: standard deviation of each joint's play, (j,) rad.
        slack: standard deviation of what no joint explains, m.
    """

    joints: Array
    slack: float

    @property
    def logarithms(self) -> Array:
        """(j + 1,), the slack last."""
        return np.log(np.append(self.joints, self.slack))


@dataclass(frozen=True)
class Views:
    """What is known of each view.

    Args:
        misfits: (v, 6) twists of the predicted against the seen pose.
        design: (v, 6, g) derivatives by what is fitted to them.
        by_angles: (v, 6, j) derivatives by the joints' angles.
        of_poses: (v, 6, 6) covariances of the seen poses.
    """

    misfits: Array
    design: Array
    by_angles: Array
    of_poses: Array


def spread(by_angles: Array, play: Play) -> Array:
    """Covariances (v, 6, 6) of what play and slack do to the misfits."""
    own = play.slack**2 * np.diag([LEVER**-2] * 3 + [1.0] * 3)
    return (by_angles * play.joints**2) @ np.swapaxes(by_angles, 1, 2) + own


def estimated(views: Views, start: Play) -> Play:
    """The likeliest, of joints that are taken to be somewhat alike: what the views are weighed by."""
    loss = _loss(views)

    def unlike(logarithms: Array) -> float:
        apart = (logarithms[:-1] - logarithms[:-1].mean()) / UNLIKE
        return loss(logarithms) + 0.5 * float(np.sum(apart**2))

    found = _least(unlike, start.logarithms)[0]
    return Play(np.exp(found[:-1]), float(np.exp(found[-1])))


def intervals(views: Views, start: Play) -> Array:
    """Of each joint's standard deviation the likeliest and the ends of its 95 % interval, (j, 3) rad.

    The profile of the likelihood alone: nothing is believed of one joint because of another, and a joint without play
    has an interval that reaches down to none, which no curvature at the likeliest would tell.
    """
    loss = _loss(views)
    best, least = _least(loss, start.logarithms)
    found = []
    for joint in range(len(best) - 1):
        known = {float(best[joint]): (best, least)}

        def above(at: float, joint: int = joint, known: dict[float, tuple[Array, float]] = known) -> float:
            if at not in known:  # looked for from elsewhere it might be another, and the root be lost
                near = known[min(known, key=lambda other: abs(other - at))][0].copy()
                near[joint] = at
                known[at] = _least(loss, near, joint)
            return known[at][1] - least - FURTHEST

        ends = [best[joint]]
        for limit in np.log((LEAST_PLAY, MOST_PLAY)):
            inside = above(limit) <= 0
            ends.append(limit if inside else optimize.brentq(above, best[joint], limit, xtol=0.02))
        found.append(np.exp(ends))
    return np.array(found)


def _loss(views: Views) -> Loss:
    """The negative logarithm of the restricted likelihood."""

    def loss(logarithms: Array) -> float:
        of_views = (
            spread(views.by_angles, Play(np.exp(logarithms[:-1]), float(np.exp(logarithms[-1])))) + views.of_poses
        )
        weights = np.linalg.inv(of_views)
        weighted = weights @ views.design
        matrix = np.einsum("vig,vih->gh", views.design, weighted)
        pull = np.einsum("vig,vi->g", weighted, views.misfits)
        left = np.einsum("vi,vij,vj->", views.misfits, weights, views.misfits) - pull @ np.linalg.solve(matrix, pull)
        return 0.5 * float(np.linalg.slogdet(of_views)[1].sum() + np.linalg.slogdet(matrix)[1] + left)

    return loss


def _least(loss: Loss, start: Array, fixed: int | None = None) -> tuple[Array, float]:
    """Where a loss is least, with one logarithm fixed or none, and what it is there."""
    low = np.log([LEAST_PLAY] * (len(start) - 1) + [LEAST_SLACK])
    high = np.log([MOST_PLAY] * (len(start) - 1) + [MOST_SLACK])
    start = np.clip(start, low, high)
    if fixed is not None:
        low[fixed] = high[fixed] = start[fixed]
    found = optimize.minimize(loss, start, method="L-BFGS-B", bounds=list(zip(low, high, strict=True)))
    return np.asarray(found.x), float(found.fun)
