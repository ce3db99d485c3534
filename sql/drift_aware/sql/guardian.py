"""Runs one server no longer than the process that started it.

A server started directly would outlive a parent that is killed. This script stands between: it starts the
command, and stops it when its own stdin ends, which happens when the parent closes it or dies. SIGTERM kills
the command at once, as a power cut would. It imports nothing of this project, so that it starts at once.

Usage: ``guardian.py '{"command": […], "user": null, "signal": "SIGINT", "remove": null}'``
"""

import json
import shutil
import signal
import subprocess
import sys
import threading
from typing import Any

_STOP_SECONDS = 20.0


def main(command: list[str], user: int | None, stop_signal: signal.Signals, remove: str | None) -> int:
    """Run ``command`` until it ends or stdin does; the command's exit code.

    Args:
        command: the server and its arguments.
        user: the user and group id to run it as, for a server that refuses to run as root.
        stop_signal: what asks the server to stop; SIGKILL follows if it does not within 20 s.
        remove: a folder to delete at the end.
    """
    credentials: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    try:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, **credentials)
        signal.signal(signal.SIGTERM, lambda *_: server.kill())
        threading.Thread(target=_stop_when_stdin_ends, args=(server, stop_signal), daemon=True).start()
        return server.wait()
    finally:
        if remove is not None:
            shutil.rmtree(remove, ignore_errors=True)


def _stop_when_stdin_ends(server: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    sys.stdin.buffer.read()
    server.send_signal(stop_signal)
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    sys.exit(main(asked["command"], asked["user"], signal.Signals[asked["signal"]], asked["remove"]))
