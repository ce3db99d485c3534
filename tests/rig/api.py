"""The API for tests: tokens, a client for it, and what there is to ask about."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pgvector.psycopg import register_vector
from prometheus_client import CollectorRegistry

from drift_aware.dashboards.api.app import create
from drift_aware.schema.alerts import Alert, Baseline, DaySums, Readings
from drift_aware.schema.envelope import ROWS, encode_rows
from drift_aware.schema.events import Event, Kind
from drift_aware.schema.metrics import SinkMetrics
from drift_aware.schema.topics import ALERTS, BASELINES, HISTORY, READINGS, SOURCES
from drift_aware.sql.sink import Sink
from drift_aware.sql.store import Connection
from drift_aware.sql.work import Record
from drift_aware.streams.summary import Summary
from rig.configuration import make_settings

READER, ACTOR = "a-token-that-may-read", "a-token-that-may-act"
TOKENS = [
    {"name": "reader", "token": READER, "scopes": ["read"]},
    {"name": "actor", "token": ACTOR, "scopes": ["read", "act"]},
]
READS = {"Authorization": f"Bearer {READER}"}
_EPOCH, _HOUR_MS = date(1970, 1, 1), 3_600_000
ACTS = {"Authorization": f"Bearer {ACTOR}"}


def make_app(
    database_url: str,
    *,
    clock: Any = None,
    limits: Any = None,
    actions: Any = None,
    no_data_minutes: int | None = None,
    **api: Any,
) -> FastAPI:
    """The application with TOKENS, unless others are given; a test's requests are not slowed down."""
    values = {"tokens": TOKENS, "rate_limit_per_minute": 100_000, "statement_timeout_seconds": 10} | api
    settings = make_settings(
        database_url=database_url,
        api=values,
        limits=limits or {},
        actions=actions or {},
        no_data_minutes=no_data_minutes,
    )
    return create(settings, clock) if clock else create(settings)


@contextmanager
def client(app: FastAPI, headers: dict[str, str] | None = None) -> Iterator[TestClient]:
    """A client of a running application, with READS unless told otherwise.

    It waits for the end of an answer, so the stream that has none is ended.
    """
    app.state.changes.close()
    with TestClient(
        app, "http://127.0.0.1", raise_server_exceptions=False, headers=READS if headers is None else headers
    ) as found:
        yield found


class Persisted:
    """Writes to the database as ``persist`` does, each call a record of its own.

    Args:
        connection: in autocommit mode.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sink = Sink(SinkMetrics(CollectorRegistry()))
        register_vector(connection)
        self._offset = 0

    def make_partitions(self) -> None:
        """Of the days around today; until then every row is in a default partition."""
        self._sink.prepare(self._connection)

    def events(self, kind: Kind, some: Sequence[Event], partition: int = 0) -> None:
        self._write(Record(SOURCES[kind].name, partition, self._following(), encode_rows(some), ROWS))

    def alerts(self, some: Iterable[Alert]) -> None:
        for one in some:
            self._write(Record(ALERTS.name, 0, self._following(), msgspec.json.encode(one), ROWS))

    def readings(self, some: Iterable[Readings]) -> None:
        for one in some:
            self._write(Record(READINGS.name, 0, self._following(), msgspec.json.encode(one), ROWS))

    def baselines(self, some: Iterable[Baseline]) -> None:
        for one in some:
            self._write(Record(BASELINES.name, 0, self._following(), msgspec.json.encode(one), ROWS))

    def day(self, family: str, ago: int, sums: Summary, segment: str = "all") -> None:
        """What a family had on a day, so many days before the present one."""
        begin = ((datetime.now(UTC).date() - _EPOCH).days - ago) * 24 * _HOUR_MS
        day = DaySums(
            segment=segment,
            family=family,
            day=begin,
            until=begin + 23 * _HOUR_MS,
            events=sums.events,
            sums=msgspec.msgpack.encode(sums.pack()),
        )
        self._write(Record(HISTORY.name, 0, self._following(), msgspec.json.encode(day), ROWS))

    def _following(self) -> int:
        self._offset += 1
        return self._offset

    def _write(self, record: Record) -> None:
        with self._connection.transaction():
            self._sink.handle(self._connection, [record])
