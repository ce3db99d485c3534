"""Whether processes run, and which signals they catch."""

import os
import re
import signal
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not stat.parent.parent.joinpath("self").exists()


def catches(pid: int, which: signal.Signals) -> bool:
    """Whether the process has a handler for a signal; True where the system does not say."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return True
    found = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status.read_text(), re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> (which - 1) & 1)


def stands_still(pid: int) -> bool:
    """Whether it was stopped by a signal, and goes on when it is told so."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
