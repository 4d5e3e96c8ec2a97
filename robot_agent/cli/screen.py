"""A page for browsers on this machine that shows the newest picture."""

from __future__ import annotations

import html
import io
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray

from robot_agent.errors import RobotAgentError

HOST = "127.0.0.1"

Picture = NDArray[np.uint8]


class Screen:
    """A page with the newest picture, for browsers on this machine: JPEGs, one replacing the other (MJPEG).

    A browser that is slow misses pictures and delays nobody.

    Args:
        title: of the page.
        port: of 127.0.0.1; 0 for any that is free.

    Attributes:
        url: of the page.

    Raises:
        RobotAgentError: the port cannot be had.
    """

    def __init__(self, title: str, port: int) -> None:
        self.title = title
        self._jpeg, self._number, self._closed = b"", 0, False
        self._news = threading.Condition()
        try:
            self._server = ThreadingHTTPServer((HOST, port), partial(_Viewer, self))
        except OSError as error:
            raise RobotAgentError(
                f"cannot listen on port {port} ({error.strerror}): choose another --port, or 0 for any that is free"
            ) from error
        self.url = f"http://{HOST}:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def show(self, picture: Picture) -> None:
        """Replaces the picture (height, width, 3) in every browser."""
        file = io.BytesIO()
        imsave(file, picture, format="jpeg")
        with self._news:
            self._jpeg, self._number = file.getvalue(), self._number + 1
            self._news.notify_all()

    def jpegs(self) -> Iterator[bytes]:
        """The newest picture each time, until the screen is closed."""
        seen = 0
        while True:
            with self._news:
                while self._number == seen and not self._closed:
                    self._news.wait()
                if self._closed:
                    return
                jpeg, seen = self._jpeg, self._number
            yield jpeg

    def close(self) -> None:
        """Ends the page and frees the port."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>{title}</title>
<style>
  body {{ margin: 0; background: #16181d; color: #c8ccd4; font: 16px sans-serif; text-align: center }}
  img {{ width: min(96vw, 120vh); margin-top: 2vh; image-rendering: pixelated }}
</style>
<img src="/pictures" alt="{title}">
<p>{title}</p>
"""
_NEXT = b"\r\n--picture\r\n"


class _Viewer(BaseHTTPRequestHandler):
    """One request of a browser."""

    def __init__(self, screen: Screen, *args: Any) -> None:
        self.screen = screen
        super().__init__(*args)

    def do_GET(self) -> None:
        with suppress(ConnectionError):  # a browser may leave at any time
            if self.path == "/":
                self._page()
            elif self.path == "/pictures":
                self._pictures()
            else:
                self.send_error(404)

    def _page(self) -> None:
        page = _PAGE.format(title=html.escape(self.screen.title)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def _pictures(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(_NEXT)
        for jpeg in self.screen.jpegs():
            # The boundary follows at once: some browsers show a picture only when they have read it.
            header = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
            self.wfile.write(header + jpeg + _NEXT)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the terminal is for what a person asked for."""
