"""What an event costs the worker, beside a bare consumer, our own sums without Faust, and other frameworks.

    python benchmarks/throughput.py [--quick] [--rounds 3] [--seconds 6] [--only TEXT]
    python benchmarks/throughput.py --memory
    python benchmarks/throughput.py --soak 600

Every contender reads the same topic of a real Kafka in a process of its own, one after the other, in rounds.
What is compared is processor time, user and system, from when a tenth has been read until all has. The tables
go to ``docs/performance.md``; with ``--quick``, under two minutes, ``--only``, rows whose names hold a text,
or ``--soak`` they are only printed. The other frameworks get environments of their own under
``.cache/peers``. Needs Linux, Java 17 and Maven.
"""

import os
import sys
from pathlib import Path

# A real Kafka and the commands' processes are the tests' own.
sys.path.append(str(Path(__file__).parents[1] / "tests"))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from document import placed
from drift_aware.streams.summarise import KEEP_SENT_SECONDS
from load import worker
from load.contenders import ContenderFailed, contenders
from load.environments import NotInstalled
from load.machine import described
from load.meter import Cost, cost
from load.report import memory_table, middle, peers_table, throughput_table
from load.rows import MEMORY, MEMORY_SECONDS, QUICK, REFERENCE, ROWS, Row
from load.soak import Sample, slope, soak
from load.traffic import Publisher, Traffic
from rig.configuration import PARTITIONS, forget_desk
from rig.kafka import KafkaServer

_DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
_MEBI = 1 << 20
_WARM_SECONDS = 2 * KEEP_SENT_SECONDS

Found = dict[Row, dict[str, list[Cost]]]


@contextmanager
def kafka() -> Iterator[tuple[KafkaServer, Path]]:
    """A real Kafka, and a folder for what others say."""
    with tempfile.TemporaryDirectory(prefix="throughput-") as name:
        folder = Path(name)
        server = KafkaServer(folder)
        server.start()
        try:
            yield server, folder
        finally:
            server.kill()


def filled(server: KafkaServer, row: Row, events: int) -> None:
    """Empty the broker, and write a row's events."""
    server.reset()
    Publisher(server.bootstrap, row).send(Traffic(row).records(events))


def compare(rows: Sequence[Row], rounds: int, seconds: float) -> tuple[Found, dict[str, str]]:
    """What each contender took in each round of each row; and which frameworks are missing, and why."""
    found: Found = {}
    missing: dict[str, str] = {}
    with kafka() as (server, folder):
        for row in rows:
            events = row.events(seconds)
            filled(server, row, events)
            costs = found[row] = {each.name: [] for each in contenders(row)}
            for _ in range(rounds):
                for each in contenders(row):
                    if each.framework in missing:
                        continue
                    try:
                        costs[each.name].append(each.measure(server.bootstrap, row, events, folder))
                    except NotInstalled as error:
                        missing[each.framework] = str(error)
                    except (ContenderFailed, worker.WorkerEnded) as error:
                        print(f"a round without {each.name}: {error}", flush=True)
            told = {name: middle(costs, name) for name in costs}
            print(f"{row.name}, {events:,} events: {told}", flush=True)
    return found, missing


def memory(rows: Sequence[Row]) -> dict[Row, Cost]:
    """What the worker takes with few and with many segments, after as long as it keeps a pane."""
    found = {}
    with kafka() as (server, folder):
        for row in rows:
            each = row.packed * PARTITIONS
            events = MEMORY_SECONDS * row.rate // each * each
            filled(server, row, events)
            try:
                found[row] = cost(*worker.measure(server.bootstrap, row, events, folder))
            except worker.WorkerEnded as error:
                print(f"{row.name}: {error}", flush=True)
            else:
                print(f"{row.name}: {found[row].resident / _MEBI:,.0f} MiB", flush=True)
    return found


def _soaked(seconds: float) -> None:
    with kafka() as (server, folder):
        server.reset()
        samples: list[Sample] = []
        for sample in soak(server.bootstrap, REFERENCE, seconds, folder):
            samples.append(sample)
            print(
                f"{sample.seconds:7.0f} s  {sample.events:13,} events  {sample.resident / _MEBI:7.1f} MiB",
                flush=True,
            )
    # Until panes are let go as fast as they come, memory has to grow: they are kept for so long in event time
    # and for so long by the clock.
    warm = [
        sample
        for sample in samples
        if sample.events >= MEMORY_SECONDS * REFERENCE.rate and sample.seconds >= _WARM_SECONDS
    ]
    if not warm:
        print(
            f"not warm before {MEMORY_SECONDS * REFERENCE.rate:,} events and {_WARM_SECONDS:.0f} seconds; "
            "give it more"
        )
        return
    print(
        f"{warm[0].resident / _MEBI:.1f} MiB when warm, {warm[-1].resident / _MEBI:.1f} MiB at the end, "
        f"{slope(warm) / _MEBI:+.2f} MiB a minute"
    )


def _written(tables: Mapping[str, str], keep: bool) -> None:
    print("\n\n".join(tables.values()))
    if keep:
        _DOCUMENT.write_text(placed(_DOCUMENT.read_text(), tables))


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--only", metavar="TEXT", default="")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--soak", type=float, metavar="SECONDS")
    arguments = parser.parse_args()
    forget_desk(os.environ)
    if arguments.soak:
        _soaked(arguments.soak)
        return
    if arguments.memory:
        found = memory([row for row in MEMORY if arguments.only in row.name])
        _written({"memory": memory_table(found, 10, 1_000)}, keep=not arguments.only)
        return
    rows = [row for row in (QUICK if arguments.quick else ROWS) if arguments.only in row.name]
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    costs, missing = compare(rows, rounds, arguments.seconds or (2.0 if arguments.quick else 6.0))
    tables = {
        "machine": described(),
        "throughput": throughput_table(costs),
        "peers": peers_table(costs, missing),
    }
    _written(tables, keep=not arguments.quick and not arguments.only)


if __name__ == "__main__":
    main()
