"""A provider of OpenAI's shape and a learning engine, on a free port, that note every effect and can fail.

Faults: ``429`` and ``500`` refuse before there is any effect; ``cut`` closes the connection after it,
``half`` in the middle of the answer, ``late`` lets the client run out of time, ``500 after`` and ``garbage``
answer so.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, urlsplit

AFTER = ("cut", "half", "late", "500 after", "garbage")
BEFORE = ("429", "500")
KEY = "sk-0123456789abcdef0123"
MODEL = "ft:small:1"
_LATE_SECONDS = 30.0


class Provider:
    """Serves while it is entered.

    Attributes:
        effects: ``(what, key)`` of every effect, in their order.
        faults: path to the faults that come next there, one a request.
        statuses: of jobs, one for each look; the last stays.
        answers: model to what it answers a prompt.
        vectors: of a text.
        reported: what it says its model is; None for whatever it was asked for.
        requests: method and path of each.
        page_size: of lists.
    """

    def __init__(self) -> None:
        self.effects: list[tuple[str, str]] = []
        self.faults: dict[str, list[str]] = {}
        self.statuses = ["running", "succeeded"]
        self.answers: dict[str, Callable[[str], str]] = {}
        self.vectors: Callable[[str], list[float]] = lambda text: [1.0, float(len(text))]
        self.reported: str | None = None
        self.requests: list[str] = []
        self.files: list[dict[str, Any]] = []
        self.contents: dict[str, bytes] = {}
        self.jobs: list[dict[str, Any]] = []
        self.page_size = 1
        self.looks_up = True
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"provider": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fault(self, path: str) -> str | None:
        waiting = self.faults.get(path, [])
        return waiting.pop(0) if waiting else None

    def wait(self) -> None:
        self._over.wait(_LATE_SECONDS)

    def post(self, path: str, headers: Message, body: bytes) -> dict[str, Any]:
        if path == "/files":
            return self._upload(headers, body)
        given = json.loads(body)
        if path == "/fine_tuning/jobs":
            return self._begin("job", given["metadata"]["drift_aware_key"], given)
        if path == "/train":
            return {"job_id": self._begin("train", given["key"], given)["id"]}
        said = {"model": self.reported or given["model"]}
        if path == "/embeddings":
            data = [
                {"index": place, "embedding": self.vectors(text)} for place, text in enumerate(given["input"])
            ]
            return said | {"data": data, "usage": {"prompt_tokens": 3 * len(data)}}
        assert path == "/chat/completions", path
        text = self.answers[given["model"]](given["messages"][-1]["content"])
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        return said | {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage}

    def _upload(self, headers: Message, body: bytes) -> dict[str, Any]:
        head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        [*_, part] = [
            each for each in BytesParser().parsebytes(head + body).walk() if each.get_filename() is not None
        ]
        name, content = str(part.get_filename()), part.get_payload(decode=True)
        assert isinstance(content, bytes)
        self.effects.append(("file", name))
        file = {"id": f"file-{len(self.files)}", "filename": name, "purpose": "fine-tune"}
        self.files.append(file)
        self.contents[name] = content
        return file

    def _begin(self, what: str, key: str, given: Mapping[str, Any]) -> dict[str, Any]:
        self.effects.append((what, key))
        job = {
            "id": f"{what}-{len(self.jobs)}",
            "metadata": given.get("metadata"),
            "key": key,
            "given": given,
        }
        self.jobs.append(job)
        return job

    def get(self, path: str, params: Mapping[str, list[str]]) -> dict[str, Any] | None:
        if path in ("/files", "/fine_tuning/jobs"):
            return self._page(self.files if path == "/files" else self.jobs, params)
        if path == "/train":
            if not self.looks_up:
                return None
            return {"jobs": [{"job_id": job["id"]} for job in self.jobs if [job["key"]] == params["key"]]}
        if found := re.fullmatch(r"/(?:fine_tuning/jobs|train)/([\w-]+)", path):
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            told = {"id": found[1], "status": status, "error": {"message": "bad data"}}
            ended = {"fine_tuned_model": MODEL, "model": MODEL, "trained_tokens": 2_000_000}
            return told | (ended if status == "succeeded" else {})
        return None

    def _page(self, items: list[dict[str, Any]], params: Mapping[str, list[str]]) -> dict[str, Any]:
        """One page, with what others have sent among it; it does not filter."""
        others = [{"id": f"other-{n}", "filename": "theirs.jsonl", "metadata": None} for n in range(3)]
        items = [*others, *items]
        after = params.get("after", [""])[0]
        first = next((n + 1 for n, each in enumerate(items) if each["id"] == after), 0)
        page = items[first : first + self.page_size]
        return {"data": page, "has_more": first + self.page_size < len(items)}


_LIES = {"500 after": (500, b"oops"), "garbage": (200, b"<html>")}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: ClassVar[Provider]

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def do_GET(self) -> None:
        self._serve(None)

    def _serve(self, body: bytes | None) -> None:
        url = urlsplit(self.path)
        self.provider.requests.append(f"{self.command} {url.path}")
        fault = self.provider.fault(f"{self.command} {url.path}")
        if fault in BEFORE:
            self._send(int(str(fault)), b'{"error": {"message": "not now"}}', {"Retry-After": "0"})
        elif self.headers["Authorization"] not in (None, f"Bearer {KEY}"):
            self._send(401, json.dumps({"error": {"message": self.headers["Authorization"]}}).encode())
        else:
            self._answer(url.path, parse_qs(url.query), body, fault)

    def _answer(self, path: str, params: dict[str, list[str]], body: bytes | None, fault: str | None) -> None:
        found = (
            self.provider.get(path, params) if body is None else self.provider.post(path, self.headers, body)
        )
        if found is None:
            self._send(404, b"{}")
            return
        written = json.dumps(found).encode()
        if fault == "late":
            self.provider.wait()
        elif fault == "half":
            self._send(200, written[: len(written) // 2], {"Content-Length": str(len(written))})
        elif fault != "cut":
            self._send(*_LIES.get(str(fault), (200, written)))
        self.close_connection = fault is not None

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | dict(headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...
