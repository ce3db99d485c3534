"""A program as users write them for ``actions.command``; its effects are lines in a file.

Usage: ``python commanded.py run|find|undo FOLDER``. With a file ``cut`` in the folder ``run`` dies after its
effect; with a pipe ``gate`` it waits there until somebody writes; with a file ``hidden`` nobody can tell.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


def main(verb: str, folder: Path) -> int:
    key, lines = os.environ["IDEMPOTENCY_KEY"], folder / "lines"
    told = json.load(sys.stdin)
    assert told["action"]["alert_id"] == told["alert"]["id"]
    if verb == "find":
        return _find(key, folder)
    if verb == "undo":
        lines.unlink()
        return 0
    with lines.open("a") as file:
        file.write(key + "\n")
    cut = folder / "cut"
    if cut.exists():
        cut.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    gate = folder / "gate"
    if gate.exists():
        gate.read_bytes()
    print(json.dumps({"job_id": "job-1", "cost_usd": 0.25}))  # noqa: T201 - its answer
    return 0


def _find(key: str, folder: Path) -> int:
    lines = folder / "lines"
    if (folder / "hidden").exists():
        return 2
    return 0 if lines.exists() and key in lines.read_text().split() else 1


def section(folder: Path, **more: Any) -> dict[str, Any]:
    """The section ``actions.command`` that has this program do the work, with its effects in ``folder``."""
    programs = {verb: [sys.executable, __file__, verb, str(folder)] for verb in ("run", "find", "undo")}
    return {"kind": "tune", "most_usd": 1.0} | programs | more


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
