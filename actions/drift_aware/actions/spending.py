"""What the ledger tells Prometheus: how often was trained and indexed anew, and what that has cost."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import psycopg
import structlog
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from drift_aware.schema.errors import Unreachable
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

# Name without the suffix that counters get, and what it says; in the order of the query's columns.
_COUNTERS = (
    ("retrain_events", "Actions that have tuned a model, since the beginning."),
    ("reindex_events", "Actions that have embedded the documents anew, since the beginning."),
    ("api_cost_usd", "What actions have cost at providers, US dollars, since the beginning."),
)

log = structlog.get_logger(__name__)


class Spending(Collector):
    """Reads the ledger when it is asked, so that every process gives the same numbers, and none is lost.

    While Postgres does not answer there are no samples: a gap is told from nought.

    Args:
        connect: opens a connection.
    """

    def __init__(self, connect: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._connect = connect

    def describe(self) -> Iterator[Metric]:
        """The names, without asking Postgres."""
        return (CounterMetricFamily(name, about) for name, about in _COUNTERS)

    def collect(self) -> Iterator[Metric]:
        """The three counters."""
        try:
            with self._connect() as connection:
                row = connection.execute(QUERIES["action_sums"]).fetchone()
        except (Unreachable, psycopg.Error) as error:
            log.warning("the ledger cannot be read for metrics", cause=type(error).__name__)
            return
        assert row is not None
        for (name, about), value in zip(_COUNTERS, row, strict=True):
            yield CounterMetricFamily(name, about, value=float(value))
