"""The HTML page of a calibration: self-contained, figures as inline SVG."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

# Okabe and Ito's palette: told apart by colour-blind readers as well.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d8dee4; --paper: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa4af; --line: #30363d; --paper: #0d1117; }
  figure svg, figure img { background: #fff; border-radius: 6px; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.4rem; }
p, figcaption { color: var(--soft); } figure { margin: 1rem 0; } svg, img { max-width: 100%; height: auto; }
table { border-collapse: collapse; margin: 1rem 0; width: 100%; font-variant-numeric: tabular-nums; }
td, th { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top; }
pre { font-size: .85rem; overflow-x: auto; }
"""
_FIGURE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "font.size": 10,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "calibration",
}


def page(title: str, parts: Sequence[str]) -> str:
    """The whole page of `parts`, which the functions below make."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def text(heading: str, *paragraphs: str) -> str:
    """A heading and paragraphs of plain text."""
    return f"<h2>{escape(heading)}</h2>" + "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)


def printed(lines: Sequence[str]) -> str:
    """What the command printed, as it printed it."""
    return f"<pre>{escape(chr(10).join(lines))}</pre>"


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table of texts and numbers."""
    cells = "".join(f"<th>{escape(name)}</th>" for name in header)
    lines = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{lines}</table>"


def figure(heading: str, content: str, caption: str) -> str:
    """A figure, from `drawn` or `picture`, with what it shows."""
    return f"<h2>{escape(heading)}</h2><figure>{content}<figcaption>{escape(caption)}</figcaption></figure>"


def drawn(draw: Callable[[Figure], None], size: tuple[float, float] = (7.2, 3.6)) -> str:
    """The SVG of what `draw` puts on a figure of `size` in inches."""
    with _styled():
        canvas = Figure(figsize=size, layout="constrained")
        draw(canvas)
        out = io.StringIO()
        canvas.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()[out.getvalue().index("<svg") :]


def picture(image: NDArray[np.uint8], width: int = 480) -> str:
    """An image, grey (height, width) or BGR (height, width, 3), as inline JPEG of at most `width` pixels."""
    from robot_agent_calibration.recording.images import opencv

    cv2 = opencv()
    if image.shape[1] > width:
        size = (width, round(image.shape[0] * width / image.shape[1]))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'


@contextmanager
def _styled() -> Iterator[None]:
    with mpl.rc_context(_FIGURE):
        yield
