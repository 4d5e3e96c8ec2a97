"""The parts that pages are made of: one file each, which needs nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

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


def document(title: str, parts: Sequence[str]) -> str:
    """The whole page."""
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def player(path: Path) -> str:
    """A video that plays in the page."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<video controls muted loop autoplay playsinline src="data:video/mp4;base64,{data}"></video>'


def figure(heading: str, content: str, caption: str) -> str:
    """A heading, a picture, and what it shows; `content` and `caption` are HTML."""
    return f"<h2>{escape(heading)}</h2><figure>{content}<figcaption>{caption}</figcaption></figure>"


def missing(heading: str, why: str) -> str:
    """A heading, and why there is nothing below it."""
    return f"<h2>{escape(heading)}</h2><p>{escape(why)}</p>"


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows of plain values."""
    cells = "".join(f"<th>{escape(name)}</th>" for name in header)
    lines = "".join("<tr>" + "".join(f"<td>{escape(_text(value))}</td>" for value in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{cells}</tr>{lines}</table></div>'


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.1f}" if isinstance(value, float) else str(value)
