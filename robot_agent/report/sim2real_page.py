"""A sim-to-real evaluation as one page, from its record alone, and in a few lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from robot_agent.report import sim2real_figures as figures
from robot_agent.report.html import document, figure, missing, player, table
from robot_agent.report.sim2real_figures import Record, score_of
from robot_agent.run.folder import write_whole

METHOD = """
<p>Every policy lives the same episodes in every body: the seed of an episode decides where it begins and what is asked,
in simulation and in a reality alike. Learning is off and nothing is explored, unless a section says otherwise.
Intervals hold 95 %: of rates Wilson's; of a gap between rates Newcombe's for paired proportions (1998, method 10); of
returns and their gaps Student's t. r and MMRV are as SIMPLER defines them
(<code>simpler_env/utils/metrics.py</code>), over policies; their intervals are the pigeonhole bootstrap's, which draws
policies and episodes anew. A sensitivity curve is made to fall (isotonic regression) before the value at which success
is half of what it is as made is read off between two values; its interval is of episodes drawn anew.</p>
"""


def write_page(record: Record, out: Path) -> Path:
    """Writes the page and returns its path; clips are read from beside it.

    Raises:
        RunError: it cannot be written.
    """
    title = f"From simulation to reality: {record['world']}"
    streams = " + ".join(sorted({stream for policy in record["policies"] for stream in policy["streams"]}))
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{len(record['policies'])} policies ({escape(streams)}) of {record['world']} in "
        f"{len(record['realities'])} bodies that stand for the real one, {record['episodes']} episodes each; "
        f"{escape(record['created'])}, robot-agent {escape(record['robot_agent'])}</p>",
        figure("How well it goes", figures.scores(record), "Each policy in each body, with 95 % intervals."),
        _results(record),
        *_agreement(record),
        *_sensitivity(record),
        *_learning(record),
        *_clips(record, out.parent),
        *_notes(record),
        "<h2>How this was measured</h2>",
        METHOD,
        f"<pre>{escape(record['command'])}</pre>",
    ]
    write_whole(out, document(title, parts))
    return out


def spoken_record(record: Record) -> str:
    """The results in a few lines."""
    kind, lines = score_of(record), []
    for result in record["results"]:
        line = f"{result['policy']} in {result['body']}: {kind} {_span(result[kind], kind)}"
        if result["gap"]:
            line += f", gap {_span(result['gap'][kind], kind)}"
        lines.append(line)
    for found in record["predictivity"]:
        lines.append(f"simulation against {found['reality']}: {_predicts(found)}")
    for curve in record["sensitivity"]:
        if curve["halving"]:
            lines.append(f"{curve['policy']}: success halves at {curve['axis']} {_halving(curve)}")
    for curve in record["learning"]:
        last = curve["on"][-1][kind]
        lines.append(
            f"{curve['policy']} after {curve['minutes'][-1]:.1f} min of learning in {curve['reality']}: "
            f"{kind} {_span(last, kind)}"
        )
    return "\n".join(lines)


def _results(record: Record) -> str:
    header = (
        "policy", "body", "success", "gap to simulation", "return", "gap of return", "s to success",
        "action change", "jerk, 1/s²", "at a limit", "plan ms, p50 / p99",
    )  # fmt: skip
    rows = []
    for one in record["results"]:
        gap, time = one["gap"] or {}, one["seconds_to_success"]
        rows.append(
            (
                one["policy"],
                one["body"],
                _span(one["success"], "success"),
                _span(gap.get("success"), "success"),
                _span(one["return"], "return"),
                _span(gap.get("return"), "return"),
                f"{time['median']:.2f}" if time else "-",
                f"{one['action_change']:.3f}",
                f"{one['action_jerk']:.0f}",
                f"{100 * one['limit_use']:.0f} %",
                f"{one['decision_ms']['p50']:.1f} / {one['decision_ms']['p99']:.1f}",
            )
        )
    return table(header, rows)


def _agreement(record: Record) -> list[str]:
    heading = "Whether simulation shows which policy is better"
    if len(record["policies"]) < 2:
        return [missing(heading, record["predictivity"][0]["why_not"] or "one policy cannot be ranked")]
    rows = [(one["reality"], one["policies"], one["score"], _predicts(one)) for one in record["predictivity"]]
    caption = (
        "A point a policy. Pearson's r: 1 where reality follows simulation on a line. MMRV: how much of a score is "
        "lost, in the mean over policies, by the worst pair that simulation ranks the wrong way round; 0 is best."
    )
    return [figure(heading, figures.agreement(record), caption), table(("reality", "policies", "score", ""), rows)]


def _sensitivity(record: Record) -> list[str]:
    if not record["sensitivity"]:
        return []
    rows = [
        (curve["policy"], curve["axis"], curve["meaning"], _halving(curve) if curve["halving"] else "-")
        for curve in record["sensitivity"]
    ]
    caption = (
        f"In simulation with one thing changed, {record['sensitivity'][0]['episodes']} episodes a point; shaded is the "
        "95 % interval, dotted where success is half of what it is as made."
    )
    return [
        figure("How much change a policy bears", figures.sensitivity(record), caption),
        table(("policy", "axis", "its value", "success halves at"), rows),
    ]


def _learning(record: Record) -> list[str]:
    if not record["learning"]:
        return []
    rows = []
    for curve in record["learning"]:
        kind = "success" if curve["off"]["success"] is not None else "return"
        for minute, on, gain in zip(curve["minutes"], curve["on"], curve["gain"], strict=True):
            rows.append(
                (
                    curve["policy"],
                    curve["reality"],
                    f"{minute:.1f}",
                    _span(curve["off"][kind], kind),
                    _span(on[kind], kind),
                    _span(gain[kind], kind),
                    _span(on["gap"][kind], kind),
                )
            )
    caption = (
        "A copy of the run continues in the reality, explores and learns, and is evaluated at stops. "
        "Learning off is the policy as it came: without learning, minutes change nothing in it."
    )
    header = ("policy", "reality", "minutes", "off", "on", "gained", "gap that is left")
    return [figure("How fast learning on closes the gap", figures.learning(record), caption), table(header, rows)]


def _clips(record: Record, folder: Path) -> list[str]:
    clips = [(result, clip) for result in record["results"] for clip in result["clips"]]
    if not clips:
        return []
    cells = []
    for result, clip in clips:
        caption = f"{result['policy']} in {result['body']}, episode {clip['episode']}"
        cells.append(f"<figure>{player(folder / clip['file'])}<figcaption>{escape(caption)}</figcaption></figure>")
    grid = "display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1rem"
    note = "" if score_of(record) == "success" else " Nobody says what a failure is here: these returned least."
    return [
        f'<h2>Failures</h2><p>The worst of each run in each body.{note}</p><div style="{grid}">{"".join(cells)}</div>'
    ]


def _notes(record: Record) -> list[str]:
    notes = list(dict.fromkeys(record["notes"]))
    if not notes:
        return []
    return ["<h2>What was left out</h2><ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>"]


def _predicts(found: Mapping[str, Any]) -> str:
    if not found["pearson"]:
        return f"r and MMRV cannot be given: {found['why_not']}"
    r, mmrv = found["pearson"], found["mmrv"]
    return (
        f"r {r['value']:.2f} ({r['low']:.2f} to {r['high']:.2f}), "
        f"MMRV {mmrv['value']:.3g} ({mmrv['low']:.3g} to {mmrv['high']:.3g})"
    )


def _span(found: Mapping[str, Any] | None, kind: str) -> str:
    """A number and its interval: rates in per cent."""
    if found is None:
        return "-"

    def rounded(value: float) -> str:
        return f"{100 * value:.0f}" if kind == "success" else f"{value:.1f}"

    unit = " %" if kind == "success" else ""
    if found["low"] is None:
        return rounded(found["value"]) + unit
    return f"{rounded(found['value'])}{unit} ({rounded(found['low'])} to {rounded(found['high'])})"


def _halving(curve: Mapping[str, Any]) -> str:
    found: Mapping[str, Any] = curve["halving"]
    ends: Sequence[str] = [f"{end:.3g}" if end is not None else "beyond" for end in (found["low"], found["high"])]
    if found["beyond"] is not None:
        return f"beyond {found['beyond']:g} ({ends[0]} to beyond)"
    if found["value"] is None:
        return "nowhere: there was no success to halve"
    return f"{found['value']:.3g} ({ends[0]} to {ends[1]})"
