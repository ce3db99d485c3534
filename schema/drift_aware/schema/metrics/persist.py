"""What the sink says of itself."""

from drift_aware.schema.metrics.metric import Instruments, count, level, spread


class SinkMetrics(Instruments, roles=("persist",)):
    """What becomes of events on their way into Postgres."""

    rows = count(
        "drift_aware_sink_rows_total",
        "Rows committed to Postgres.",
        unit="rows",
        use="Throughput, including rows that replaced an earlier state.",
        labels=("table",),
    )
    skipped = count(
        "drift_aware_sink_skipped_total",
        "Events that were not stored, because they cannot be read or held.",
        unit="events",
        use="Growing: somebody publishes what cannot be stored; the reason says why.",
        labels=("topic", "reason"),
    )
    amended = count(
        "drift_aware_sink_amended_total",
        "Values changed so that Postgres can hold them.",
        unit="values",
        use="Stored, but not as it came: a NUL removed, a text clipped, a number out of range left out.",
        labels=("change",),
    )
    withheld = count(
        "drift_aware_sink_withheld_total",
        "Rows stored without texts, or vectors not stored.",
        unit="rows",
        use="Shows that store_texts and forgetting are at work.",
        labels=("table", "reason"),
    )
    unplaced = count(
        "drift_aware_sink_default_partition_rows_total",
        "Rows whose day has no partition of its own.",
        unit="rows",
        use="Events with a time far from now; many of them make queries by day slow.",
        labels=("table",),
    )
    without_day = level(
        "drift_aware_sink_rows_without_partition",
        "Rows in the default partition, counted once an hour and up to 100,000.",
        unit="rows",
        use="Growing: odd times, or partitions that could not be made; see docs/postgres.md.",
        labels=("table",),
    )
    cleaned = count(
        "drift_aware_sink_cleaned_partitions_total",
        "Partitions that retention has worked on.",
        unit="partitions",
        use="By outcome: dropped, deleted from a default partition, or left for an hour because in use.",
        labels=("outcome",),
    )
    batch_seconds = spread(
        "drift_aware_sink_batch_seconds",
        "Time from the first row of a batch to its commit.",
        unit="seconds",
        use="Near the session timeout of the consumer group, rows come slower than they could.",
        buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    )
    retries = count(
        "drift_aware_sink_retries_total",
        "Sessions that ended in trouble.",
        unit="sessions",
        use="Rising: Kafka or Postgres cannot be reached; the cause is the class of the error.",
        labels=("cause",),
    )
