"""What the sink tells Prometheus: every name, its unit, and what it is good for."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    start_http_server,
)

from drift_aware.schema.errors import SettingsError


class SinkMetrics:
    """The sink's metrics on a registry of the caller's choice."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Rows committed, including those that replaced an earlier state; the sink's throughput.
        self.rows = Counter(
            "drift_aware_sink_rows_total", "Rows committed to Postgres.", ["table"], registry=registry
        )
        # Not zero means that somebody publishes what cannot be stored; the reason says why.
        self.skipped = Counter(
            "drift_aware_sink_skipped_total",
            "Events that were not stored, because they cannot be read or held.",
            ["topic", "reason"],
            registry=registry,
        )
        # Stored, but not as it came: a NUL removed, a text clipped, a number out of range left out.
        self.amended = Counter(
            "drift_aware_sink_amended_total",
            "Values changed so that Postgres can hold them.",
            ["change"],
            registry=registry,
        )
        # What must not be stored: all texts (store_texts), or what belongs to somebody forgotten.
        self.withheld = Counter(
            "drift_aware_sink_withheld_total",
            "Rows stored without texts, or vectors not stored.",
            ["table", "reason"],
            registry=registry,
        )
        # Rows with a time far from now; many of them make queries by day slow.
        self.unplaced = Counter(
            "drift_aware_sink_default_partition_rows_total",
            "Rows whose day has no partition of its own.",
            ["table"],
            registry=registry,
        )
        # Growing means events with odd times, or partitions that could not be made; see docs/postgres.md.
        self.without_day = Gauge(
            "drift_aware_sink_rows_without_partition",
            "Rows in the default partition, counted once an hour and up to 100,000.",
            ["table"],
            registry=registry,
        )
        # By outcome: dropped, deleted from a default partition, or left for the next hour because in use.
        self.cleaned = Counter(
            "drift_aware_sink_cleaned_partitions_total",
            "Partitions that retention has worked on.",
            ["outcome"],
            registry=registry,
        )
        # Near the session timeout of the consumer group, rows come slower than they could.
        self.batch_seconds = Histogram(
            "drift_aware_sink_batch_seconds",
            "Time from the first row of a batch to its commit.",
            registry=registry,
            buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        )
        # Rising means that Kafka or Postgres cannot be reached; the cause is the class of the error.
        self.retries = Counter(
            "drift_aware_sink_retries_total", "Sessions that ended in trouble.", ["cause"], registry=registry
        )


@contextmanager
def served(port: int, registry: CollectorRegistry) -> Iterator[None]:
    """Answer Prometheus on ``port`` inside the block; 0 serves nothing.

    Raises:
        SettingsError: the port cannot be had.
    """
    if port == 0:
        yield
        return
    # They double the number of series and nobody asks for them.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    try:
        server, thread = start_http_server(port, registry=registry)
    except OSError as error:
        raise SettingsError(f"cannot serve metrics on port {port}: {error.strerror}") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
