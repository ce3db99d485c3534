"""The Kafka end of ``redelivery``: an idempotent producer, and readers of a few topics."""

import time
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
import structlog
from confluent_kafka import KafkaError, Message, Producer

from drift_aware.schema.errors import Unreachable
from drift_aware.schema.producing import EXACT
from drift_aware.schema.settings import Settings
from drift_aware.schema.topics import LARGEST_BYTES, REPLAYS
from drift_aware.streams import reader
from drift_aware.streams.dlq import Letter
from drift_aware.streams.redelivery import (
    LETTER_HEADER,
    SEND_SECONDS,
    Ends,
    Entry,
    Memory,
    Redelivered,
    memory_of,
)

# All entries stand on one partition, because their order decides who may send.
_PARTITION = 0
_json = msgspec.json.Encoder().encode
_log = structlog.get_logger(__name__)


def memory(settings: Settings) -> Memory:
    """What was replayed before.

    Raises:
        Unreachable: the broker does not answer, or has no such topic.
    """
    return memory_of(reader.read_from(settings, REPLAYS.name, {_PARTITION: 0}))


class KafkaPostbox:
    """``redelivery.Postbox`` on Kafka; see there for the contracts.

    Args:
        settings: where the broker is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = Producer(
            settings.kafka.client()
            | EXACT
            | {
                "client.id": "drift-aware-dlq",
                "message.timeout.ms": int(SEND_SECONDS * 1000),
                "message.max.bytes": LARGEST_BYTES,
                # The worker's letters may have come compressed: as plain bytes the broker would refuse them.
                "compression.type": "lz4",
                "linger.ms": 5,
                "log_level": 2,
            }
        )

    def memory(self) -> Memory:
        return memory(self._settings)

    def note(self, entries: Mapping[str, Entry | None]) -> None:
        confirmed: dict[str, Message] = {}
        for name, entry in entries.items():
            self._producer.produce(
                REPLAYS.name,
                None if entry is None else _json(entry),
                key=name,
                partition=_PARTITION,
                on_delivery=partial(_delivered, confirmed, name),
            )
        self._deliver(len(entries), confirmed)

    def ends(self, letters: Sequence[Letter]) -> Ends:
        ends: Ends = {}
        for topic in sorted({letter.place.topic for letter in letters}):
            wanted = {letter.place.partition for letter in letters if letter.place.topic == topic}
            found = reader.ends(self._settings, topic)
            ends[topic] = {each: found[each] for each in sorted(wanted)}
        return ends

    def send(self, letters: Sequence[Letter]) -> dict[str, Redelivered]:
        confirmed: dict[str, Message] = {}
        for letter in letters:
            place, name = letter.place, str(letter.place)
            self._producer.produce(
                place.topic,
                letter.value,
                key=letter.key,
                # Where it stood: a conversation is to stay on one partition, whoever chose that.
                partition=place.partition,
                headers={"content-type": letter.content_type, LETTER_HEADER: name},
                on_delivery=partial(_delivered, confirmed, name),
            )
        self._deliver(len(letters), confirmed)
        now = round(time.time() * 1000)
        return {
            name: Redelivered(now, message.partition() or 0, message.offset() or 0)
            for name, message in confirmed.items()
        }

    def sent_since(self, ends: Ends) -> dict[str, Redelivered]:
        found = {}
        for topic, starts in ends.items():
            for record in reader.read_from(self._settings, topic, starts):
                name = dict(record.headers).get(LETTER_HEADER)
                if name is not None:
                    found[name.decode("utf-8", "replace")] = Redelivered(
                        record.appended_ms or 0, record.partition, record.offset
                    )
        return found

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    def _deliver(self, count: int, confirmed: Mapping[str, Message]) -> None:
        """Return when all is confirmed; by the end of the flush nothing is under way any more."""
        self._producer.flush(SEND_SECONDS + 1)
        if len(confirmed) < count:
            raise Unreachable(
                f"Kafka took {len(confirmed)} of {count} records; look at the broker, then run this again: "
                "nothing is sent twice"
            )


def _delivered(confirmed: dict[str, Message], name: str, error: KafkaError | None, message: Message) -> None:
    if error is None:
        confirmed[name] = message
    else:
        _log.warning("Kafka refuses a record", of=name, error=error.str())
