"""A service on this machine that notes every request, and misbehaves when told to."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Heard:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """How a request is answered, after it has been noted.

    Attributes:
        cut: how many bytes of the answer are sent before the connection breaks; None sends all.
        hold: whether the answer waits until the listener closes, so that the client's patience ends.
    """

    status: int = 200
    body: bytes = b"ok"
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None
    hold: bool = False


class Listener:
    """Answers on a free port of 127.0.0.1 while it is entered.

    Attributes:
        heard: every request, in the order of arrival.
        next: replies to the next requests; when none is left, ``answer`` makes them.
    """

    def __init__(self, answer: Callable[[Heard], Reply] = lambda _: Reply()) -> None:
        self.heard: list[Heard] = []
        self.next: list[Reply] = []
        self.answer = answer
        self._closing = threading.Event()
        self._lock = threading.Lock()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                listener._take(self)

            do_PUT = do_POST  # noqa: N815 - the name is http.server's

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        heard = Heard(request.command, request.path, dict(request.headers), body)
        with self._lock:
            self.heard.append(heard)
            reply = self.next.pop(0) if self.next else self.answer(heard)
        if reply.hold:
            self._closing.wait()
            return
        request.send_response(reply.status)
        for name, value in reply.headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(reply.body)))
        request.end_headers()
        request.wfile.write(reply.body[: reply.cut])
        request.close_connection = True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
