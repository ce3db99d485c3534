"""Who is measured: each a process of its own that reads the same topic from its beginning."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from drift_aware.schema.topics import SOURCES
from load import environments, worker
from load.meter import Cost, Mark, cost, read
from load.rows import Row
from rig.configuration import PARTITIONS

_ROOT = Path(__file__).parents[2]
# What a contender may import: the benchmarks, and of our own code what its environment has the packages for.
_PATH = os.pathsep.join(str(_ROOT / folder) for folder in ("benchmarks", "schema"))
_LONGEST_SECONDS = 600.0
_TAIL = 600


class ContenderFailed(Exception):
    """A contender ended before it had read all; the message has its last words."""


@dataclass(frozen=True)
class Contender:
    """A script that writes marks (``load.meter.Meter``).

    Attributes:
        name: as in the table.
        module: what to run.
        framework: whose environment it needs; empty for our own.
        by_hand: whether each record is added up before the framework sees it.
    """

    name: str
    module: str
    framework: str = ""
    by_hand: bool = False

    def measure(self, bootstrap: str, row: Row, events: int, folder: Path) -> Cost:
        """Run it until it has read so many events.

        Raises:
            NotInstalled: its framework cannot be had.
            ContenderFailed: it ended early.
        """
        python = environments.python(self.framework) if self.framework else Path(sys.executable)
        told = {
            "bootstrap": bootstrap,
            "topic": SOURCES[row.kind].name,
            "partitions": PARTITIONS,
            "group": f"throughput-{uuid.uuid4()}",
            "kind": row.kind,
            "packed": row.packed,
            "events": events,
            "settings": row.settings,
            "by_hand": self.by_hand,
        }
        errors = folder / f"{self.module}.stderr"
        marks = list(_marks([str(python), "-m", self.module, json.dumps(told)], errors))
        if len(marks) != 2:
            said = errors.read_text(errors="replace")[-_TAIL:]
            raise ContenderFailed(f"{self.name} wrote {len(marks)} marks of 2: {said}")
        return cost(*marks)


def _marks(command: list[str], errors: Path) -> Iterator[Mark]:
    """What a process writes, up to its second mark; it does not live on."""
    variables = dict(os.environ) | {"PYTHONPATH": _PATH, "OMP_NUM_THREADS": "1"}
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            command, env=variables, cwd=_ROOT / "benchmarks", stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    assert process.stdout is not None
    timer = Timer(_LONGEST_SECONDS, process.kill)
    timer.start()
    found = 0
    try:
        for line in process.stdout:
            if mark := read(line):
                yield mark
                found += 1
            if found == 2:
                break
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


class Worker:
    """Ours, with everything it does."""

    name = "worker"
    framework = ""

    def measure(self, bootstrap: str, row: Row, events: int, folder: Path) -> Cost:
        """As of the others; the second stage has to have caught up too."""
        return cost(*worker.measure(bootstrap, row, events, folder))


BARE = Contender("bare consumer", "load.bare")
CORE = Contender("core", "load.core")
WORKER = Worker()
OURS: list[Contender | Worker] = [BARE, CORE, WORKER]
PEERS: list[Contender | Worker] = [
    Contender("Quix", "load.quix_flow", "quix"),
    Contender("Bytewax", "load.bytewax_flow", "bytewax"),
    Contender("Quix, summed by hand", "load.quix_flow", "quix", by_hand=True),
    Contender("Bytewax, summed by hand", "load.bytewax_flow", "bytewax", by_hand=True),
]


def contenders(row: Row) -> list[Contender | Worker]:
    """Who is measured in a row."""
    # Quix keeps its sums by the key of a record, and one record holds many segments.
    peers = [each for each in PEERS if each.framework != "quix" or row.segments == 1]
    return [*OURS, *(peers if row.peers else [])]
