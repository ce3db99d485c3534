"""What the ledger tells Prometheus: how often was trained and indexed anew, what that cost, what waits."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import product
from typing import Any, get_args

import psycopg
import structlog
from prometheus_client import Metric
from prometheus_client.registry import Collector

from drift_aware.schema.alerts import ActionKind
from drift_aware.schema.errors import Unreachable
from drift_aware.schema.metrics import Ledger
from drift_aware.schema.metrics.metric import make_registry
from drift_aware.sql.queries import QUERIES
from drift_aware.sql.store import Connection

# Where an action waits: for an answer, for `act`, for its work to end, for a person to look.
_WAITING = ("proposed", "approved", "running", "unknown")
# Action, where it stands, how many of them, and when the first of them came there.
_Queue = list[tuple[str, str, int, float]]

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
        return _shown((0, 0, 0.0), [])

    def collect(self) -> Iterator[Metric]:
        """All of them as the ledger stands."""
        try:
            with self._connect() as connection:
                sums = connection.execute(QUERIES["action_sums"]).fetchone()
                queue = connection.execute(QUERIES["action_queue"], {"waiting": list(_WAITING)}).fetchall()
        except (Unreachable, psycopg.Error) as error:
            log.warning("the ledger cannot be read for metrics", cause=type(error).__name__)
            return
        assert sums is not None
        yield from _shown(sums, queue)


def _shown(sums: tuple[Any, ...], queue: _Queue) -> Iterator[Metric]:
    registry = make_registry()
    ledger = Ledger(registry)
    retrains, reindexes, cost = sums
    ledger.retrains.inc(retrains)
    ledger.reindexes.inc(reindexes)
    ledger.api_cost.inc(float(cost))
    ledger.total_cost.set(float(cost))
    for action, status in product(get_args(ActionKind), _WAITING):
        ledger.actions.labels(action, status).set(0)
    for action, status, number, since in queue:
        ledger.actions.labels(action, status).set(number)
        ledger.oldest.labels(action, status).set(since)
    return iter(registry.collect())
