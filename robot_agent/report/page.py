"""The report: one self-contained HTML page about one run or several."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from robot_agent.errors import RunError
from robot_agent.report import figures
from robot_agent.report.runs import RunRecord
from robot_agent.run.folder import write_whole

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d8dee4; --paper: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa4af; --line: #30363d; --paper: #0d1117; }
  figure svg, figure img { background: #fff; border-radius: 6px; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin-top: 2.4rem; }
p, figcaption { color: var(--soft); } figure { margin: 1rem 0; } svg, video { max-width: 100%; height: auto; }
table { border-collapse: collapse; margin: 1rem 0; width: 100%; font-variant-numeric: tabular-nums; }
td, th { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top; }
.scroll { overflow-x: auto; } pre { font-size: .8rem; overflow-x: auto; }
"""


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
    body = "\n".join(parts)
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, page)
    return out


def _figure(heading: str, content: str, caption: str) -> str:
    return f"<h2>{escape(heading)}</h2><figure>{content}<figcaption>{caption}</figcaption></figure>"


def _missing(heading: str, why: str) -> str:
    return f"<h2>{escape(heading)}</h2><p>{escape(why)}</p>"


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in header)
    lines = "".join("<tr>" + "".join(f"<td>{escape(_text(value))}</td>" for value in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{cells}</tr>{lines}</table></div>'


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.1f}" if isinstance(value, float) else str(value)


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
    return _table(header, rows)


def _curves(runs: Sequence[RunRecord]) -> list[str]:
    return [
        _figure(
            "Return against frames",
            figures.learning_curves(runs, "frames"),
            "Each thin line is a run, exploring while it learns; thick is the mean of five episodes around, shaded "
            "the 95 % interval of the mean over seeds. Grey are published results on the same world. Higher is better.",
        ),
        _figure(
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
        _figure(
            "How well the world model predicts",
            figures.model_error(run),
            "Squared distance between the predicted and the encoded latent, over that of predicting no change: below "
            "the dashed line the model knows more than that nothing happens.",
        ),
        _figure(
            "Effective rank of the latent",
            figures.latent_rank(run),
            "How many directions of the latent are in use. A fall towards 1 would be collapse.",
        ),
        *_retrieval(run),
        _figure(
            "Time of a decision",
            figures.plan_times(run),
            "Median and 99th percentile of each episode. A robot needs the slow ones to fit into its control period.",
        ),
        _losses(run),
        _missing("Configuration", "") + f"<pre>{escape(yaml.safe_dump(dict(run.config), sort_keys=False))}</pre>",
    ]


def _evaluation(run: RunRecord) -> str:
    result = run.evaluation
    if not result:
        return _missing("Evaluation", "Not evaluated yet: robot-agent evaluate does it.")
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
    return "<h2>Evaluation</h2>" + _table(("", ""), rows)


def _retrieval(run: RunRecord) -> list[str]:
    """Only runs with a camera in a simulator have it."""
    if not len(run.series("frames", "retrieval")[0]):
        return []
    caption = (
        "Distance between the true states of an observation and of the one whose latent is nearest, against that of a "
        "random one and of the nearest state there is. The simulator's state serves this figure only."
    )
    return [_figure("What neighbouring latents have in common", figures.retrieval(run), caption)]


def _video(run: RunRecord) -> str:
    name = run.evaluation.get("video")
    path = run.folder.path / name if name else None
    if path is None or not path.exists():
        return _missing("An episode", "No video yet: robot-agent evaluate records one.")
    data = base64.b64encode(path.read_bytes()).decode()
    player = f'<video controls muted loop autoplay playsinline src="data:video/mp4;base64,{data}"></video>'
    return _figure("An episode", player, "The first evaluation episode, in real time.")


def _imagination(run: RunRecord) -> str:
    heading = "What the planner imagined"
    if not run.folder.imagination.exists():
        return _missing(heading, "Not recorded yet: robot-agent evaluate does it.")
    with np.load(run.folder.imagination) as arrays:
        content = figures.imagination(arrays)
    return _figure(
        heading,
        content,
        "The world model goes on alone from one look, with the actions that were taken. There is no pixel decoder: an "
        "imagined latent is shown as the frame of the episode whose latent is nearest.",
    )


def _losses(run: RunRecord) -> str:
    content = figures.losses(run)
    if not content:
        return _missing("Losses", "No update has been recorded yet.")
    return _figure("Losses", content, "Means of 100 updates each.")
