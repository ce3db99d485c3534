"""``drift-aware serve`` as the process it is in production."""

import json
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drift_aware.sql.embedded import EmbeddedPostgres
from rig.api import ACTS, READS, TOKENS
from rig.commands import Command
from rig.configuration import environment
from rig.services import wait_until
from rig.serving import address, logged, status

Start = Callable[..., Command]


def serve(start_command: Start, database_url: str | None, *arguments: str, **values: Any) -> Command:
    tokens = {"api__tokens": json.dumps(TOKENS)}
    words = arguments or ("--port", "0")
    return start_command("serve", *words, database_url=database_url, **tokens | values)


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_until_a_signal_ends_it_and_keeps_a_journal_without_secrets(
    start_command: Start, database_url: str, ends: signal.Signals
) -> None:
    process = serve(start_command, database_url)
    url = address(process)
    assert status(f"{url}/alerts") == 401
    assert status(f"{url}/alerts?segment=all", READS) == 200
    assert status(f"{url}/metrics") == 200
    process.send(ends)
    assert process.wait() == 0
    requests = logged(process, "request")
    assert [(r["path"], r["status"], r["caller"]) for r in requests] == [
        ("/alerts", 401, None),
        ("/alerts", 200, "reader"),
    ]
    assert all(r["method"] == "GET" and r["ms"] >= 0 and r["client"] == "127.0.0.1" for r in requests)
    assert logged(process, "stopped")
    for token in TOKENS:
        assert str(token["token"]) not in process.stderr


def test_a_request_that_is_being_answered_is_finished_before_the_end(
    start_command: Start, database_url: str
) -> None:
    process = serve(start_command, database_url)
    port = int(address(process).rpartition(":")[2])
    body = b'{"window_days": 7}'
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        head = f"POST /drift/check HTTP/1.1\r\nHost: x\r\nAuthorization: {READS['Authorization']}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body[:5])
        # What is asked after it is answered, so the first half has arrived.
        assert status(f"http://127.0.0.1:{port}/health") == 200
        process.send(signal.SIGTERM)
        wait_until(lambda: status(f"http://127.0.0.1:{port}/health") is None, 30, process.shown)
        connection.sendall(body[5:])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK"), answer
    assert process.wait() == 0


def test_the_port_is_that_of_the_platform_and_a_taken_one_is_an_error_in_one_line(
    start_command: Start, database_url: str, tmp_path: Path, free_port: int
) -> None:
    variables = environment(database_url=database_url) | {"PORT": str(free_port)}
    with Command(("serve",), variables, tmp_path) as process:
        assert address(process) == f"http://127.0.0.1:{free_port}"
        taken = serve(start_command, database_url, "--port", str(free_port))
        assert taken.wait() == 2
        assert f"cannot listen on 127.0.0.1:{free_port}: Address already in use" in taken.stderr
        assert len(taken.stderr.splitlines()) == 1
        # The option stands above the variable.
        with Command(("serve", "--port", "0"), variables, tmp_path) as other:
            assert address(other) != f"http://127.0.0.1:{free_port}"
            assert other.stop() == 0
        assert process.stop() == 0


def test_without_tokens_it_listens_on_this_machine_only(start_command: Start, database_url: str) -> None:
    refused = serve(start_command, database_url, "--host", "0.0.0.0", "--port", "0", api__tokens="[]")
    assert refused.wait() == 2
    assert "set api.tokens" in refused.stderr
    process = serve(start_command, database_url, api__tokens="[]")
    assert status(f"{address(process)}/alerts") == 200
    assert process.stop() == 0


def test_it_starts_before_the_database_is_there(start_command: Start) -> None:
    process = serve(start_command, "postgresql://drift:hush@127.0.0.1:1/drift")
    assert status(f"{address(process)}/health") == 503
    assert process.stop() == 0
    assert "hush" not in process.stderr


def test_without_a_database_at_all_it_says_which_setting_to_set(start_command: Start) -> None:
    process = serve(start_command, None)
    assert process.wait() == 2
    assert "set DATABASE_URL" in process.stderr


def test_a_database_that_went_away_and_came_back_is_used_again(start_command: Start) -> None:
    # Not in pytest's folder, which is too deep for a socket, and closed to PostgreSQL's own user.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        place = Path(folder) / "pg"
        with EmbeddedPostgres(place, durable=False) as database:
            process = serve(start_command, database.url)
            url = address(process)
            assert status(f"{url}/health") == 200
        assert status(f"{url}/health") == 503
        with EmbeddedPostgres(place, durable=False):
            wait_until(lambda: status(f"{url}/health") == 200, 60, process.shown)
        assert process.stop() == 0


def test_many_ask_at_once_and_all_are_answered(start_command: Start, database_url: str) -> None:
    process = serve(start_command, database_url, api__database_connections=2)
    url = address(process)
    found: list[int | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(status(f"{url}/drift/summary", ACTS))) for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [200] * 40
    assert process.stop() == 0
