"""The figures of the report, each an inline SVG."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from robot_agent.report.runs import RunRecord, anchors, groups

# Okabe and Ito's palette: told apart by colour-blind readers as well.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "font.size": 10,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "report",
}
SIZE = (7.2, 3.6)


def drawn(draw: Callable[[Axes], None], size: tuple[float, float] = SIZE) -> str:
    """The SVG of what `draw` puts on an axis."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        return as_svg(figure)


def as_svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def learning_curves(runs: Sequence[RunRecord], x: str) -> str:
    """Return against frames or seconds, a panel a world and set of streams.

    Each run is thin, the mean of a panel's runs thick with its 95 % interval; markers are published results.
    """
    panels = groups(runs)
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    size = SIZE if len(panels) == 1 else (3.6 * columns, 2.9 * rows)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, sharey=True).flatten()
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        for axis, (name, members) in zip(axes, panels.items(), strict=False):
            _learning_curve(axis, name, members, x)
        for axis in axes[::columns]:
            axis.set_ylabel("return of an episode")
        return as_svg(figure)


def _learning_curve(axis: Axes, name: tuple[str, str], members: Sequence[RunRecord], x: str) -> None:
    world, streams = name
    scale = 60 if x == "seconds" else 1
    color = PALETTE[0]
    axis.set_title(f"{world} · {streams}", fontsize=10)
    axis.set_xlabel("frames" if x == "frames" else "minutes")
    curves = [curve for run in members if len((curve := run.series(x, "episode_return"))[0])]
    if not curves:
        axis.text(0.5, 0.5, "no episode has ended", ha="center", transform=axis.transAxes)
        return
    for at, returns in curves:
        axis.plot(at / scale, returns, color=color, lw=0.8, alpha=0.45)
    grid = np.linspace(0, max(at[-1] for at, _ in curves), 60)
    smooth = np.stack([_smoothed(at, returns, grid) for at, returns in curves])
    mean = np.nanmean(smooth, axis=0)
    label = f"mean of {len(curves)} seeds" if len(curves) > 1 else "this agent"
    axis.plot(grid / scale, mean, color=color, lw=2.2, label=label)
    if len(curves) > 1:
        half = stats.t.ppf(0.975, len(curves) - 1) * smooth.std(0, ddof=1) / len(curves) ** 0.5
        axis.fill_between(grid / scale, mean - half, mean + half, color=color, alpha=0.15, lw=0)
    if x == "frames":
        for marker, curve in zip("os^", _nearest(anchors(world, streams)), strict=False):
            inside = [i for i, at in enumerate(curve.frames) if 0 < at <= 1.02 * grid[-1]]
            if inside:  # the points alone: a line between them would claim what nobody published
                axis.plot(
                    [curve.frames[i] for i in inside],
                    [curve.returns[i] for i in inside],
                    ls="",
                    color="#666666",
                    marker=marker,
                    ms=5,
                    label=f"{curve.method} (published)",
                )
        for change, words in members[0].changes():
            axis.axvline(change, color="#666666", lw=0.8, ls=":")
            axis.annotate(words, (change, 1), (2, -2), ("data", "axes fraction"), "offset points", fontsize=6, va="top")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k" if value else "0")
    axis.legend(fontsize=7, loc="lower right")


def _nearest(curves: Sequence[Any]) -> list[Any]:
    """The best known references, so that the figure stays legible."""
    known = ("TD-MPC2", "SimbaV2 (UTD 8)", "DreamerV3", "DrQ-v2", "BRO (UTD 10)", "XQC", "MR.Q")
    return sorted((c for c in curves if c.method in known), key=lambda c: known.index(c.method))[:3]


def _smoothed(at: np.ndarray, values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Mean of the five episodes around each point of the grid; NaN beyond a run's end."""
    kernel = np.ones(min(5, len(values)))
    mean = np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")
    return np.interp(grid, at, mean, right=np.nan)


def model_error(run: RunRecord) -> str:
    """Prediction error 1 to 5 decisions ahead over the life."""

    def draw(axis: Axes) -> None:
        for color, ahead in zip(_colors(), range(1, 6), strict=False):
            frames, errors = run.series("frames", f"model_error_{ahead}")
            axis.plot(frames, errors, color=color, lw=1.2, label=f"{ahead} ahead")
        axis.axhline(1, color="#888888", lw=1, ls="--")
        axis.set(xlabel="frames", ylabel="error / error of standing still", yscale="log")
        axis.legend(fontsize=8, ncols=5)

    return drawn(draw)


def plan_times(run: RunRecord) -> str:
    """Histogram of decision times over episodes."""

    def draw(axis: Axes) -> None:
        for color, name in zip(_colors(), ("plan_ms_p50", "plan_ms_p99"), strict=False):
            times = run.series("frames", name)[1]
            if len(times):
                axis.hist(times, bins=30, color=color, alpha=0.6, label=f"{name[-3:]} of an episode")
        axis.set(xlabel="ms for a decision (encode and plan)", ylabel="episodes")
        axis.legend(fontsize=8)

    return drawn(draw)


def latent_rank(run: RunRecord) -> str:
    """Effective rank of the latent over the life."""

    def draw(axis: Axes) -> None:
        axis.plot(*run.series("frames", "latent_rank"), color=PALETTE[0], lw=1.5)
        axis.set(xlabel="frames", ylabel="effective rank", ylim=(0, None))

    return drawn(draw)


def retrieval(run: RunRecord) -> str:
    """True state of the nearest latent, between that of a random and of the best neighbour."""

    def draw(axis: Axes) -> None:
        names = {"retrieval": "nearest latent", "retrieval_random": "random", "retrieval_oracle": "nearest state"}
        for color, (name, label) in zip(_colors(), names.items(), strict=False):
            axis.plot(*run.series("frames", name), color=color, lw=1.2, label=label)
        axis.set(xlabel="frames", ylabel="distance of true states", ylim=(0, None))
        axis.legend(fontsize=8)

    return drawn(draw)


def losses(run: RunRecord) -> str:
    """All losses over the updates, each on an axis of its own."""
    names = sorted({name for record in run.updates for name in record if name.startswith("loss_")})
    if not names:
        return ""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 1.9 * ((len(names) + 2) // 3)), layout="constrained")
        axes = figure.subplots((len(names) + 2) // 3, 3, squeeze=False).ravel()
        for axis, name in zip(axes, names, strict=False):
            axis.plot(*run.series("updates", name, "updates"), color=PALETTE[0], lw=1)
            axis.set_title(name.removeprefix("loss_"), fontsize=9)
        for axis in axes[len(names) :]:
            axis.set_axis_off()
        return as_svg(figure)


def imagination(arrays: Mapping[str, np.ndarray]) -> str:
    """Frames that happened over frames that were imagined, with the rewards of both below."""
    real, imagined = arrays["frames_real"], arrays["frames_imagined"]
    steps = len(real)
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(11, 4.2), layout="constrained")
        grid = figure.add_gridspec(3, steps, height_ratios=(1, 1, 1.1))
        for row, (frames, name) in enumerate(((real, "happened"), (imagined, "imagined"))):
            for step in range(steps):
                axis = figure.add_subplot(grid[row, step])
                axis.imshow(frames[step])
                axis.set(xticks=[], yticks=[])
                axis.set_ylabel(name if step == 0 else "")
                if row == 0:
                    axis.set_title(f"+{step + 1}", fontsize=8)
        axis = figure.add_subplot(grid[2, :])
        ahead = np.arange(1, steps + 1)
        axis.plot(ahead, arrays["reward_real"], color=PALETTE[0], marker="o", ms=3, label="reward that happened")
        axis.plot(ahead, arrays["reward_imagined"], color=PALETTE[1], marker="o", ms=3, label="reward imagined")
        axis.set(xlabel="decisions ahead, without looking", ylabel="reward", xticks=ahead)
        axis.legend(fontsize=8)
        return as_svg(figure)


def _colors() -> Sequence[str]:
    return PALETTE * 4
