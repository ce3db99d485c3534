"""Every event that was published is in the record once, whatever happens to those who write it.

``make record`` does it with 200,000 events and ``RECORD_RUNS`` seeds. A failure is repeated with the seed in
the name of the test: ``RECORD_SEED=7 RECORD_RUNS=1 make record``.
"""

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from chaos.publication import Publication
from chaos.run import seldom
from chaos.traffic import traffic
from drift_aware.schema.events import KINDS, Event
from drift_aware.sql.embedded import EmbeddedPostgres, EmbeddedPostgresFailed
from drift_aware.sql.rows import LOGS
from record.troubles import Step, steps
from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import make_settings
from rig.services import missing
from rig.supervisor import Supervisor

Start = Callable[..., Command]
EVENTS = int(os.environ.get("RECORD_EVENTS", "24000"))
FIRST = int(os.environ.get("RECORD_SEED", "1"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("RECORD_RUNS", "1")))
PER_SECOND = 4_000
_AHEAD = PER_SECOND
SECONDS = 120.0
OUTAGE_SECONDS = float(os.environ.get("RECORD_OUTAGE_SECONDS", "8"))
# What a process may grow by while the database is away, and then by a backlog three times as large as its
# first: it must not collect what it cannot write.
MOST_GROWTH = 1.6


@pytest.fixture
def database() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of the test's own, which it may stop and kill; what it has confirmed is on the disk."""
    folder = Path(tempfile.mkdtemp(prefix="record-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "pg")
    try:
        server.start()
    except EmbeddedPostgresFailed as error:
        missing(str(error))
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


class Run:
    """Publishes events while processes write them down and are looked after."""

    def __init__(self, broker: Broker, database: EmbeddedPostgres, start: Start, seed: int) -> None:
        self.database = database
        self.events = traffic(make_settings(broker.bootstrap), EVENTS, seed).events
        self._bootstrap = broker.bootstrap
        self._start = start
        self.supervisor = Supervisor(self._persist)
        assert start("db", "migrate", database_url=database.url).wait() == 0

    def _persist(self) -> Command:
        return self._start("persist", bootstrap=self._bootstrap, database_url=self.database.url)

    def published(self) -> Publication:
        return Publication(self._bootstrap, self.events, PER_SECOND)

    def go(self, troubles: list[Step]) -> None:
        self.supervisor.join()
        with self.published() as publication:
            for step in troubles:
                due = round(step.at * EVENTS)
                publication.allow(due + _AHEAD)
                self.wait(seldom(lambda due=due: self.stored() >= due), f"{due} events are stored")  # type: ignore[misc]
                self._take(step)
            publication.allow(EVENTS)
            self.finish(publication)

    def _take(self, step: Step) -> None:
        match step.what:
            case "kill":
                self.supervisor[step.which].kill()
            case "join":
                self.supervisor.join()
            case "leave":
                self.supervisor.leave(step.which)
                self.supervisor.join()
            case "restart":
                self.database.stop()
                self.database.start()
            case "cut":
                self.database.kill()
                self.database.start()

    def finish(self, publication: Publication) -> None:
        """Until everything is stored, and nobody is left who could store more."""
        self.wait(lambda: publication.at_rest, "everything is delivered")
        self.wait(seldom(lambda: self.stored() >= EVENTS), lambda: f"{self.stored()} of {EVENTS} stored")
        while len(self.supervisor):
            self.supervisor.leave(0)

    def wait(self, condition: Callable[[], bool], what: str | Callable[[], str]) -> None:
        self.supervisor.wait(condition, SECONDS, what)

    def stored(self) -> int:
        with psycopg.connect(self.database.url) as connection:
            row = connection.execute(
                "SELECT " + " + ".join(f"(SELECT count(*) FROM {log.name})" for log in LOGS.values())
            ).fetchone()
        assert row is not None
        return int(row[0])

    def times(self) -> Counter[tuple[str, int]]:
        """Table and time of each row; every event has a time of its own."""
        found: Counter[tuple[str, int]] = Counter()
        with psycopg.connect(self.database.url) as connection:
            for log in LOGS.values():
                rows = connection.execute(f"SELECT (extract(epoch FROM ts) * 1000)::bigint FROM {log.name}")
                found.update((log.name, ts) for (ts,) in rows)
        return found

    def sources(self) -> int:
        """How many different places of Kafka the rows say they come from."""
        with psycopg.connect(self.database.url) as connection:
            row = connection.execute(
                "SELECT "
                + " + ".join(
                    f"(SELECT count(DISTINCT (src_partition, src_offset, src_index)) FROM {log.name})"
                    for log in LOGS.values()
                )
            ).fetchone()
        assert row is not None
        return int(row[0])


def expected(events: list[Event]) -> Counter[tuple[str, int]]:
    times: Counter[tuple[str, int]] = Counter()
    for event in events:
        assert isinstance(event.ts, int)
        times[LOGS[KINDS[type(event)]].name, event.ts] += 1
    return times


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_event_is_in_the_record_once_whatever_happens(
    seed: int,
    kafka_broker: Broker,
    database: EmbeddedPostgres,
    start_command: Start,
    record_property: Callable[[str, object], None],
) -> None:
    run = Run(kafka_broker, database, start_command, seed)
    troubles = steps(seed)
    record_property("steps", str(troubles))
    run.go(troubles)
    assert run.times() == expected(run.events)
    assert run.sources() == EVENTS
    assert run.supervisor.ends[-9] == 3
    record_property("ends", dict(run.supervisor.ends))


@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read as Linux shows it")
def test_a_database_that_is_away_holds_the_reading_back_and_nothing_is_lost(
    kafka_broker: Broker,
    database: EmbeddedPostgres,
    start_command: Start,
    record_property: Callable[[str, object], None],
) -> None:
    run = Run(kafka_broker, database, start_command, FIRST)
    with run.published() as publication:
        # A first backlog shows what a process takes that reads as fast as it can.
        publication.allow(EVENTS // 4)
        run.wait(lambda: publication.at_rest, "a part is delivered")
        run.supervisor.join()
        run.wait(seldom(lambda: run.stored() >= EVENTS // 4), "a part is stored")
        before = most_memory(run.supervisor[0])
        database.stop()
        publication.allow(EVENTS)
        over = time.monotonic() + OUTAGE_SECONDS
        run.wait(lambda: time.monotonic() > over, "the outage is over")
        run.wait(lambda: publication.at_rest, "everything is delivered")
        database.start()
        run.wait(seldom(lambda: run.stored() >= EVENTS), lambda: f"{run.stored()} of {EVENTS} stored")
        growth = most_memory(run.supervisor[0]) / before
        record_property("growth", growth)
        assert "trying again" in run.supervisor[0].stderr
        assert not run.supervisor.ends
        run.finish(publication)
    assert run.times() == expected(run.events)
    assert growth < MOST_GROWTH


def most_memory(command: Command) -> int:
    """The most memory that a process has held so far, kilobytes."""
    status = Path(f"/proc/{command.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
