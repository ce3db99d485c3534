"""A token endpoint (OAuth 2.0, client credentials) for a Kafka that believes unsigned tokens."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs

CLIENT_ID = "drift-app"
# What a client must send as it is: neither quoting nor the base64 of URLs leaves it alone.
CLIENT_SECRET = "s3cret/+?~%&"
SCOPE = "kafka drift"


class TokenServer:
    """Gives tokens on a free port of 127.0.0.1 while it is entered.

    Args:
        lifetime_seconds: how long each token is good for.
    """

    def __init__(self, lifetime_seconds: int = 300) -> None:
        self.given = 0
        self.scopes: set[str] = set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
                if self.headers["Authorization"] != f"Basic {expected}":
                    self._answer(401, {"error": "invalid_client"})
                elif form["grant_type"] != ["client_credentials"]:
                    self._answer(400, {"error": "unsupported_grant_type"})
                else:
                    server.given += 1
                    server.scopes |= set(form.get("scope", []))
                    body = {"access_token": _token(lifetime_seconds), "token_type": "Bearer"}
                    self._answer(200, body | {"expires_in": lifetime_seconds})

            def _answer(self, status: int, body: dict[str, object]) -> None:
                written = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(written)))
                self.end_headers()
                self.wfile.write(written)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/token"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _token(lifetime_seconds: int) -> str:
    now = int(time.time())
    claims = {"sub": CLIENT_ID, "iat": now, "exp": now + lifetime_seconds}
    return f"{_part({'alg': 'none'})}.{_part(claims)}."


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
