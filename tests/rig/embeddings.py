"""An endpoint shaped as OpenAI's ``/embeddings`` that gives pages too, with the faults of real ones."""

import hashlib
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import numpy as np

KEY = "sk-secret-of-the-test"
# What becomes of one request: None is a good answer.
Fault = Callable[["Asked"], None]


def vector_of(text: str, dimensions: int) -> list[float]:
    """The same text always has the same vector; texts that begin alike are near to each other."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    topic = int.from_bytes(hashlib.sha256(text.split(" ")[0].encode()).digest()[:8], "big")
    own = np.random.default_rng(seed).standard_normal(dimensions)
    shared = np.random.default_rng(topic).standard_normal(dimensions)
    return [float(each) for each in np.round(own + 2 * shared, 4)]


class Asked(BaseHTTPRequestHandler):
    """One request."""

    server: "_Server"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        self.server.keys.append(self.headers.get("Authorization"))
        if fault := next(self.server.faults, None):
            fault(self)
            return
        texts: Sequence[str] = body["input"]
        if fault := next((self.server.refused[text] for text in texts if text in self.server.refused), None):
            fault(self)
            return
        self.server.embedded.update(texts)
        data = [{"index": place, "embedding": self.server.vector(text)} for place, text in enumerate(texts)]
        # Providers do not promise an order.
        self.answer(200, {"data": data[::-1], "usage": {"total_tokens": 10 * len(texts)}})

    def do_GET(self) -> None:
        self.server.keys.append(self.headers.get("Authorization"))
        if fault := next(self.server.faults, None):
            fault(self)
            return
        self.answer(200, self.server.pages[self.path])

    def answer(self, status: int, body: Any, **headers: str) -> None:
        self.write(status, json.dumps(body).encode(), **headers)

    def write(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    bodies: list[Any]
    keys: list[str | None]
    faults: Iterator[Fault | None]
    embedded: Counter[str]
    refused: dict[str, Fault]
    pages: dict[str, Any]
    vector: Callable[[str], list[float]]


class Endpoint:
    """Answers on a free port while it is entered.

    Args:
        dimensions: of the vectors it makes.
        vector: makes them, of the text.
    """

    def __init__(self, dimensions: int = 32, vector: Callable[[str], list[float]] | None = None) -> None:
        self._server = _Server(("127.0.0.1", 0), Asked)
        self._server.bodies, self._server.keys = [], []
        self._server.embedded, self._server.pages, self._server.refused = Counter(), {}, {}
        self._server.vector = vector or (lambda text: vector_of(text, dimensions))
        self.fail_with()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def fail_with(self, *faults: Fault | None) -> None:
        """What becomes of the next requests; those after are answered."""
        self._server.faults = iter(faults)

    def fail_sometimes(self, share: float, seed: int, *faults: Fault) -> None:
        """Such a share of the requests from now on fails, each in one of these ways."""
        chance = random.Random(seed)
        each = lambda: chance.choice(faults) if chance.random() < share else None  # noqa: E731
        self._server.faults = iter(each, self)

    def refuse(self, text: str, fault: Fault) -> None:
        """What becomes of every request that holds this text."""
        self._server.refused[text] = fault

    def always(self, fault: Fault) -> None:
        """What becomes of every request from now on."""
        self._server.faults = iter(lambda: fault, None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def bodies(self) -> list[Any]:
        """What was asked, good or not."""
        return self._server.bodies

    @property
    def keys(self) -> list[str | None]:
        """The Authorization headers."""
        return self._server.keys

    @property
    def embedded(self) -> Counter[str]:
        """How often each text was embedded."""
        return self._server.embedded

    @property
    def pages(self) -> dict[str, Any]:
        """What GET answers, by path and query."""
        return self._server.pages

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def busy(asked: Asked) -> None:
    """429, come again in two seconds."""
    asked.answer(429, {"error": {"message": "slow down"}}, Retry_After="2")


def broken(asked: Asked) -> None:
    """500 with a page for people."""
    asked.write(500, b"<html>oh no</html>")


def cut_off(asked: Asked) -> None:
    """Half an answer."""
    asked.send_response(200)
    asked.send_header("Content-Length", "1000")
    asked.end_headers()
    asked.wfile.write(b'{"data": [{"index": 0')
    asked.close_connection = True


def dropped(asked: Asked) -> None:
    """No answer at all."""
    asked.close_connection = True


def garbage(asked: Asked) -> None:
    """200 and no JSON."""
    asked.write(200, b"\x00\xffnot json")


def says(status: int, body: Any) -> Fault:
    """An answer of one's own."""
    return lambda asked: asked.answer(status, body)
