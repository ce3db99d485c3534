"""What ``ingest`` says of itself."""

from drift_aware.schema.metrics.metric import Instruments, count


class IngestMetrics(Instruments, roles=("ingest",)):
    """What becomes of telemetry on its way to events."""

    events = count(
        "drift_aware_ingest_events_total",
        "Events published.",
        unit="events",
        use="Throughput; standing still while others count: content or operations are not what is expected.",
        labels=("kind",),
    )
    passed = count(
        "drift_aware_ingest_passed_total",
        "Spans and log records that hold nothing for us.",
        unit="spans",
        use="By operation; `none` is no model's span. Many of `other`: a convention not known here.",
        labels=("operation",),
    )
    unread = count(
        "drift_aware_ingest_unread_total",
        "Records of a topic and requests that are not OTLP.",
        unit="records",
        use="Growing: somebody writes something else to the topic, or in another encoding.",
        labels=("reason",),
    )
    refused = count(
        "drift_aware_ingest_refused_total",
        "Events that were not published, because a value in them is impossible or they are too large.",
        unit="events",
        use="Growing: the instrumentation says something odd; the log says what.",
        labels=("reason",),
    )
    repeated = count(
        "drift_aware_ingest_repeated_total",
        "Events that came by HTTP a second time and were left out.",
        unit="events",
        use="Senders try again when an answer was late: rising, Kafka is slow.",
    )
    changed = count(
        "drift_aware_ingest_changed_total",
        "Values changed before they were published.",
        unit="values",
        use="Texts clipped or withheld, personal data replaced, times of a clock that is wrong.",
        labels=("change",),
    )
    requests = count(
        "drift_aware_ingest_requests_total",
        "Requests to the listener.",
        unit="requests",
        use="By status: 503 while Kafka does not take what comes, 4xx for what is no OTLP.",
        labels=("signal", "status"),
    )
    retries = count(
        "drift_aware_ingest_retries_total",
        "Sessions with Kafka that ended in trouble.",
        unit="sessions",
        use="Rising: Kafka cannot be reached; the cause is the class of the error.",
        labels=("cause",),
    )
