"""The report: one self-contained HTML page about one run or several."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import yaml

from robot_agent.errors import RunError
from robot_agent.report import figures
from robot_agent.report.html import document, figure, missing, player, table
from robot_agent.report.runs import RunRecord
from robot_agent.run.folder import write_whole


def write_report(run_folders: Sequence[Path], out: Path) -> Path:
    """Writes the page and returns its path.

    Args:
        run_folders: at least one; runs of the same world and streams are drawn with their mean and interval.
        out: where the page goes.

    Raises:
        RunError: a folder is no run, no episode has ended in it yet, or the page cannot be written.
    """
    if not run_folders:
        raise RunError("no run folder was given: name at least one")
    runs = [RunRecord.read(Path(folder)) for folder in run_folders]
    title = runs[0].label if len(runs) == 1 else f"{len(runs)} runs"
    parts = [f"<h1>{escape(title)}</h1>", _overview(runs), *_curves(runs)]
    for run in runs:
        if len(runs) > 1:
            parts.append(f"<h1>{escape(run.label)}</h1>")
        parts += _one_run(run)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, document(title, parts))
    return out


def _overview(runs: Sequence[RunRecord]) -> str:
    header = ("world", "streams", "seed", "device", "frames", "minutes", "decisions/s", "updates", "last 5", "status")
    rows = []
    for run in runs:
        last = run.episodes[-1]
        rows.append(
            (
                run.world,
                run.streams,
                run.config.get("seed"),
                run.config.get("device"),
                last["frames"],
                last["seconds"] / 60,
                run.summary.get("decisions_per_second"),
                last.get("updates"),
                run.summary.get("return_last_5_mean"),
                run.summary.get("status", "still running, or it was killed"),
            )
        )
    return table(header, rows)


def _curves(runs: Sequence[RunRecord]) -> list[str]:
    return [
        figure(
            "Return against frames",
            figures.learning_curves(runs, "frames"),
            "Each thin line is a run, exploring while it learns; thick is the mean of five episodes around, shaded "
            "the 95 % interval of the mean over seeds. Grey are published results on the same world. Higher is better.",
        ),
        figure(
            "Return against time",
            figures.learning_curves(runs, "seconds"),
            "The same against minutes of wall-clock on this machine.",
        ),
    ]


def _one_run(run: RunRecord) -> list[str]:
    return [
        _evaluation(run),
        _video(run),
        _imagination(run),
        figure(
            "How well the world model predicts",
            figures.model_error(run),
            "Squared distance between the predicted and the encoded latent, over that of predicting no change: below "
            "the dashed line the model knows more than that nothing happens.",
        ),
        figure(
            "Effective rank of the latent",
            figures.latent_rank(run),
            "How many directions of the latent are in use. A fall towards 1 would be collapse.",
        ),
        *_retrieval(run),
        figure(
            "Time of a decision",
            figures.plan_times(run),
            "Median and 99th percentile of each episode. A robot needs the slow ones to fit into its control period.",
        ),
        _losses(run),
        missing("Configuration", "") + f"<pre>{escape(yaml.safe_dump(dict(run.config), sort_keys=False))}</pre>",
    ]


def _evaluation(run: RunRecord) -> str:
    result = run.evaluation
    if not result:
        return missing("Evaluation", "Not evaluated yet: robot-agent evaluate does it.")
    interval = result["interval_95"]
    rows = [
        ("mean return", result["return_mean"]),
        ("95 % interval", f"{interval[0]:.1f} to {interval[1]:.1f}" if interval else "too few episodes"),
        ("standard deviation", result["return_std"]),
        ("episodes", result["episodes"]),
        ("after frames", result["frames"]),
        ("learning", "on" if result["learn"] else "off"),
    ]
    if result.get("retrieval"):
        names = ("retrieval", "retrieval_random", "retrieval_oracle")
        near, chance, best = (result["retrieval"][name] for name in names)
        text = f"{near:.2f} (a random state {chance:.2f}, the nearest {best:.2f})"
        rows.append(("distance of the true states of neighbouring latents", text))
    return "<h2>Evaluation</h2>" + table(("", ""), rows)


def _retrieval(run: RunRecord) -> list[str]:
    """Only runs with a camera in a simulator have it."""
    if not len(run.series("frames", "retrieval")[0]):
        return []
    caption = (
        "Distance between the true states of an observation and of the one whose latent is nearest, against that of a "
        "random one and of the nearest state there is. The simulator's state serves this figure only."
    )
    return [figure("What neighbouring latents have in common", figures.retrieval(run), caption)]


def _video(run: RunRecord) -> str:
    name = run.evaluation.get("video")
    path = run.folder.path / name if name else None
    if path is None or not path.exists():
        return missing("An episode", "No video yet: robot-agent evaluate records one.")
    return figure("An episode", player(path), "The first evaluation episode, in real time.")


def _imagination(run: RunRecord) -> str:
    heading = "What the planner imagined"
    if not run.folder.imagination.exists():
        return missing(heading, "Not recorded yet: robot-agent evaluate does it.")
    with np.load(run.folder.imagination) as arrays:
        content = figures.imagination(arrays)
    return figure(
        heading,
        content,
        "The world model predicts from one observation along the actions that were taken. There is no pixel decoder: "
        "an imagined latent is shown as the frame of the episode whose latent is nearest.",
    )


def _losses(run: RunRecord) -> str:
    content = figures.losses(run)
    if not content:
        return missing("Losses", "No update has been recorded yet.")
    return figure("Losses", content, "Means of 100 updates each.")
