"""Events for the benchmark of throughput, and how they get to Kafka."""

from collections.abc import Iterator

import numpy as np
from confluent_kafka import KafkaException, Producer

from drift_aware.schema.envelope import COLUMNS, ROWS, encode_columns, encode_rows
from drift_aware.schema.events import Embedding, Event, Interaction
from drift_aware.schema.topics import SOURCES
from load.rows import Row
from rig.configuration import PARTITIONS

START_MS = 1_750_000_000_000
_SEED = 7
_VECTORS = 1_000
_QUERY = "How do I put a chorus after the second verse without it sounding abrupt?"
_ANSWER = "Let the last line of the verse end on the dominant, then bring the drums in one bar early. " * 8
_ANSWER_CHARACTERS = 700

Packed = tuple[bytes, bytes, bytes]  # key, value, content type


class Traffic:
    """The events of a row, in the order of their time, packed as the Publisher packs them.

    Args:
        row: what they are.
    """

    def __init__(self, row: Row) -> None:
        self._row = row
        rng = np.random.default_rng(_SEED)
        matrix = rng.normal(size=(_VECTORS, max(row.dim, 1))) + rng.normal(size=max(row.dim, 1))
        self._vectors = [vector.tobytes() for vector in matrix.astype("<f2")]
        self._segments = rng.integers(row.segments, size=1 << 16).tolist()
        self._toxicity = rng.beta(1, 60, size=1 << 12).round(4).tolist()
        self.next = 0

    def records(self, events: int) -> Iterator[Packed]:
        """So many further events."""
        encode, form = (encode_columns, COLUMNS) if self._row.kind == "embedding" else (encode_rows, ROWS)
        for _ in range(events // self._row.packed):
            packed = [self._event(self.next + index) for index in range(self._row.packed)]
            self.next += self._row.packed
            yield self._app(self.next - 1).encode(), encode(packed), form.encode()

    def _event(self, number: int) -> Event:
        row = self._row
        ts = START_MS + number * 1000 // row.rate
        session = f"s{number // row.turns}" if row.turns > 1 else None
        if row.kind == "embedding":
            return Embedding(
                id=f"e{number}",
                ts=ts,
                vector=self._vectors[number % _VECTORS],
                interaction_id=f"i{number}",
                dtype="float16",
                dim=row.dim,
                app=self._app(number),
                model="small",
                session_id=session,
            )
        return Interaction(
            id=f"i{number}",
            ts=ts,
            app=self._app(number),
            model="gpt",
            session_id=session,
            user_query=_QUERY,
            model_response=_ANSWER[number % 20 : number % 20 + _ANSWER_CHARACTERS],
            refusal=number % 53 == 0 if row.labelled else None,
            toxicity=self._toxicity[number % len(self._toxicity)] if row.labelled else None,
            latency_ms=600.0 + number % 997,
            input_tokens=40 + number % 31,
            output_tokens=150 + number % 89,
            cost_usd=0.0004,
        )

    def _app(self, number: int) -> str:
        """Of a conversation the same throughout."""
        return f"app{self._segments[number // self._row.turns % len(self._segments)]}"


class Publisher:
    """Writes records to the partitions in turn.

    Args:
        bootstrap: the broker.
        row: whose events they are.
    """

    def __init__(self, bootstrap: str, row: Row) -> None:
        self._topic = SOURCES[row.kind].name
        self._sent = 0
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "linger.ms": 5,
                # As the Publisher does: of vectors nothing would be saved.
                "compression.type": "zstd" if row.kind == "interaction" else "none",
                "log_level": 2,
            }
        )

    def send(self, records: Iterator[Packed]) -> None:
        """Returns when the broker has them all.

        Raises:
            KafkaException: it has not within a minute.
        """
        for key, value, form in records:
            while True:
                try:
                    self._producer.produce(
                        self._topic,
                        value,
                        key,
                        self._sent % PARTITIONS,
                        headers=[("content-type", form)],
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
            self._sent += 1
        if left := self._producer.flush(60):
            raise KafkaException(f"{left} records were not written within a minute")
