"""The figures of a sim-to-real evaluation, from its record, each an inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robot_agent.report.figures import PALETTE, STYLE, as_svg, drawn
from robot_agent.run.sim2real import SIMULATION

Record = Mapping[str, Any]


def score_of(record: Record) -> str:
    """What policies are held against each other by: `success` where it is known, else `return`."""
    by_success = all(result["success"] is not None for result in record["results"])
    return "success" if by_success else "return"


def scores(record: Record) -> str:
    """Every policy in every body, with 95 % intervals."""
    kind, policies = score_of(record), [policy["name"] for policy in record["policies"]]
    bodies = [SIMULATION, *record["realities"]]

    def draw(axis: Axes) -> None:
        for index, body in enumerate(bodies):
            at = np.arange(len(policies)) + 0.5 * (index / max(len(bodies) - 1, 1) - 0.5)
            found = [_result(record, policy, body)[kind] for policy in policies]
            _dots(axis, at, found, color=PALETTE[index % len(PALETTE)], label=body)
        axis.set_xticks(range(len(policies)), policies, rotation=30 if len(policies) > 3 else 0, ha="center")
        axis.set_xlim(-0.6, len(policies) - 0.4)
        _score_axis(axis, kind)
        axis.legend(fontsize=8, ncols=min(len(bodies), 3), loc="lower center", bbox_to_anchor=(0.5, 1.0))

    return drawn(draw, (7.2, 3.8))


def agreement(record: Record) -> str:
    """Reality against simulation, a point a policy, a panel a reality."""
    kind, realities = score_of(record), record["realities"]
    columns = min(len(realities), 3)
    rows = -(-len(realities) // columns)
    with mpl.rc_context(STYLE):
        page = Figure(figsize=(3.4 * columns, 3.4 * rows), layout="constrained")
        panels = page.subplots(rows, columns, squeeze=False).ravel()
        for axis in panels[len(realities) :]:
            axis.set_axis_off()
        for axis, reality in zip(panels, realities, strict=False):
            _agreement(axis, record, reality, kind)
        return as_svg(page)


def _agreement(axis: Axes, record: Record, reality: str, kind: str) -> None:
    ends: list[float] = []
    for index, policy in enumerate(record["policies"]):
        one, other = (_result(record, policy["name"], body)[kind] for body in (SIMULATION, reality))
        color = PALETTE[index % len(PALETTE)]
        x, y = one["value"], other["value"]
        axis.errorbar(x, y, xerr=_whisker(one), yerr=_whisker(other), color=color, marker="o", ms=4, lw=0.8)
        axis.annotate(policy["name"].rpartition("@")[2], (x, y), (3, 3), textcoords="offset points", fontsize=6)
        ends += [x, y]
    low, high = (0.0, 1.0) if kind == "success" else (min(ends), max(ends))
    axis.plot([low, high], [low, high], color="#888888", lw=0.8, ls="--", zorder=0)
    axis.set(xlabel=f"{kind} in simulation", ylabel=f"{kind} in reality")
    found = next(one for one in record["predictivity"] if one["reality"] == reality)
    measured = f"r {found['pearson']['value']:.2f}, MMRV {found['mmrv']['value']:.3g}" if found["pearson"] else ""
    axis.set_title(f"{reality}\n{measured}", fontsize=9)


def sensitivity(record: Record) -> str:
    """A panel an axis, a line a policy; a mark where success halves."""
    axes = list(dict.fromkeys(curve["axis"] for curve in record["sensitivity"]))
    columns = min(len(axes), 3)
    rows = -(-len(axes) // columns)
    with mpl.rc_context(STYLE):
        page = Figure(figsize=(3.4 * columns, 2.7 * rows), layout="constrained")
        panels = page.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axis in panels[len(axes) :]:
            axis.set_axis_off()
        for axis, name in zip(panels, axes, strict=False):
            curves = [curve for curve in record["sensitivity"] if curve["axis"] == name]
            for index, curve in enumerate(curves):
                color = PALETTE[index % len(PALETTE)]
                values = np.array(curve["values"])
                _band(axis, values, curve["scores"], color, curve["policy"])
                half = (curve["halving"] or {}).get("value")
                if half is not None:
                    axis.axvline(half, color=color, lw=0.9, ls=":")
            axis.set_xlabel(f"{name}: {curves[0]['meaning']}"[:60], fontsize=7)
            _score_axis(axis, curves[0]["score"])
        panels[0].legend(fontsize=7)
        return as_svg(page)


def learning(record: Record) -> str:
    """Score against minutes of experience in the reality, learning on against off, a panel a run and reality."""
    curves = record["learning"]
    columns = min(len(curves), 2)
    rows = -(-len(curves) // columns)
    with mpl.rc_context(STYLE):
        page = Figure(figsize=(3.9 * columns, 3.0 * rows), layout="constrained")
        panels = page.subplots(rows, columns, squeeze=False).ravel()
        for axis in panels[len(curves) :]:
            axis.set_axis_off()
        for axis, curve in zip(panels, curves, strict=False):
            kind = "success" if curve["off"]["success"] is not None else "return"
            minutes = np.array([0.0, *curve["minutes"]])
            off = curve["off"][kind]
            _band(axis, minutes, [off, *(one[kind] for one in curve["on"])], PALETTE[0], "learning on")
            _band(axis, minutes[[0, -1]], [off, off], PALETTE[1], "learning off")
            there = _result(record, curve["policy"], SIMULATION)[kind]["value"]
            axis.axhline(there, color="#888888", lw=0.9, ls="--", label="in simulation")
            axis.set_title(f"{curve['policy']} in {curve['reality']}", fontsize=8)
            axis.set_xlabel("minutes of experience in the reality")
            _score_axis(axis, kind)
            axis.legend(fontsize=7)
        return as_svg(page)


def _result(record: Record, policy: str, body: str) -> Mapping[str, Any]:
    return next(one for one in record["results"] if (one["policy"], one["body"]) == (policy, body))


def _score_axis(axis: Axes, kind: str) -> None:
    axis.set_ylabel("success" if kind == "success" else "return of an episode")
    if kind == "success":
        axis.set_ylim(-0.03, 1.03)


def _whisker(found: Mapping[str, Any]) -> list[list[float]] | None:
    if found["low"] is None:
        return None
    return [[max(found["value"] - found["low"], 0.0)], [max(found["high"] - found["value"], 0.0)]]


def _dots(axis: Axes, at: np.ndarray, found: Sequence[Mapping[str, Any]], color: str, label: str) -> None:
    for index, (x, one) in enumerate(zip(at, found, strict=True)):
        axis.errorbar(
            x, one["value"], yerr=_whisker(one), color=color, marker="o", ms=4, lw=1, label=None if index else label
        )


def _band(axis: Axes, at: np.ndarray, found: Sequence[Mapping[str, Any]], color: str, label: str) -> None:
    values = np.array([one["value"] for one in found], float)
    axis.plot(at, values, color=color, marker="o", ms=3, lw=1.4, label=label)
    if all(one["low"] is not None for one in found):
        low, high = (np.array([one[end] for one in found], float) for end in ("low", "high"))
        axis.fill_between(at, low, high, color=color, alpha=0.15, lw=0)
