"""librdkafka, set up so that it neither blocks, nor fills the memory, nor writes to the terminal."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from confluent_kafka import KafkaError, Producer

from drift_aware.producers.identifiers import new_id
from drift_aware.producers.packing import Record
from drift_aware.producers.tally import Reason
from drift_aware.schema.envelope import COLUMNS
from drift_aware.schema.producing import EXACT

Compression = Literal["zstd", "none"]

_SETTINGS: Mapping[str, Any] = {
    **EXACT,
    "client.id": "drift-aware",
    # Events have waited for each other already.
    "linger.ms": 5,
    # The default is 1 GiB.
    "queue.buffering.max.kbytes": 65_536,
    # The default is 300 s; a monitor that is five minutes late is of no use.
    "message.timeout.ms": 30_000,
    # Only what is critical: what else there is to say, error_cb says, and the tally logs it with a limit.
    "log_level": 2,
}

_log = logging.getLogger("drift_aware.producers.librdkafka")

_REASONS: Mapping[int, Reason] = {
    KafkaError._MSG_TIMED_OUT: "timeout",
    KafkaError._TIMED_OUT: "timeout",
    KafkaError._UNKNOWN_TOPIC: "unknown_topic",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "unknown_topic",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "forbidden",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "forbidden",
    KafkaError._QUEUE_FULL: "queue_full",
    KafkaError.MSG_SIZE_TOO_LARGE: "too_large",
    KafkaError._PURGE_QUEUE: "unsent",
    KafkaError._PURGE_INFLIGHT: "unsent",
}


def connect(
    client: Mapping[str, Any], compression: Compression, on_error: Callable[[KafkaError], None]
) -> Producer:
    """A producer that connects in the background.

    Args:
        client: librdkafka settings; they win over ours.
        compression: zstd makes a third of texts, and nothing of vectors but heat.
        on_error: told what goes wrong, from ``poll``.

    Raises:
        KafkaException: a setting is unknown or its value impossible.
    """
    settings = {**_SETTINGS, "compression.type": compression, **client, "error_cb": on_error}
    return Producer(settings, logger=_log)


def compression(record: Record) -> Compression:
    """What is worth the processor's while."""
    return "none" if record.content_type == COLUMNS else "zstd"


def headers(record: Record, source: bytes) -> list[tuple[str, str | bytes | None]]:
    """The form of the record, and what CloudEvents asks for.

    Args:
        record: to be sent.
        source: who publishes.
    """
    return [
        ("content-type", record.content_type.encode()),
        ("ce_specversion", b"1.0"),
        ("ce_id", new_id().encode()),
        ("ce_type", f"drift.{record.kind}.batch".encode()),
        ("ce_source", source),
        ("ce_time", datetime.now(UTC).isoformat(timespec="milliseconds").encode()),
    ]


def reason(error: KafkaError) -> Reason:
    """Why a record was lost, in the tally's words."""
    return _REASONS.get(error.code(), "rejected")
