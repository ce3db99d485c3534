"""Records that cannot be used, with usable events among them."""

from dataclasses import dataclass
from functools import partial

import msgspec
from confluent_kafka import KafkaError, Message, Producer

from drift_aware.schema.envelope import COLUMNS, ROWS
from drift_aware.schema.events import Kind
from drift_aware.schema.topics import SOURCES

_YEAR_2100 = 4_102_444_800_000


@dataclass(frozen=True)
class Poison:
    """A record with something in it that cannot be used.

    Attributes:
        reasons: why, for each event of the record that cannot be used.
        usable: how many events of it can be used all the same; they belong to no segment.
    """

    kind: Kind
    value: bytes | None
    reasons: tuple[str, ...]
    content_type: str = ROWS
    usable: int = 0


Place = tuple[str, int, int, int]  # topic, partition, offset, index in the record


def every_kind(ts: int) -> list[Poison]:
    """One record of every kind of trouble, and two that are half good; the good events have that time."""
    nan = {"id": "1", "ts": ts, "vector": b"\x00\x7e\x00\x3c", "dtype": "float16"}
    mixed = [{"id": f"good{ts}", "ts": ts}, {"id": 6}, {"id": f"fine{ts}", "ts": ts}, "no"]
    graded = [{"interaction_id": f"good{ts}", "ts": ts, "score": 9.0}, {"interaction_id": "i", "ts": "soon"}]
    good = {"interaction_id": f"fine{ts}", "ts": ts, "thumbs": "up", "colour": "green"}
    return [
        Poison("interaction", b"drift", ("not_json",)),
        Poison("interaction", b"\xff\x00" * 500, ("not_json",)),
        Poison("interaction", _json({"id": 5, "ts": ts}), ("wrong_type",)),
        Poison("interaction", _json({"id": "1", "ts": "yesterday"}), ("bad_timestamp",)),
        Poison("interaction", _json({"id": "1", "ts": _YEAR_2100}), ("future",)),
        Poison("interaction", None, ("empty",)),
        Poison("embedding", b"\x93\x01\x02", ("not_columns",), COLUMNS),
        Poison("embedding", _json({"id": "1", "ts": ts, "vector": "AAAAAA==", "dim": 3}), ("bad_vector",)),
        Poison("embedding", _json({"id": "1", "ts": ts, "vector": [0.0, 0.0]}), ("bad_vector",)),
        Poison("embedding", _json(nan), ("bad_vector",)),
        Poison("evaluation", _json({"eval_set": "golden", "ts": ts}), ("wrong_type",)),
        Poison("interaction", _json(mixed), ("wrong_type", "wrong_type"), usable=2),
        Poison("feedback", _json([*graded, good]), ("wrong_type", "bad_timestamp"), usable=1),
    ]


def publish(bootstrap: str, poisons: list[Poison], partitions: int) -> dict[Place, str]:
    """Put them on the broker, over all partitions; where dead letters must come from, and why."""
    places: dict[Place, str] = {}

    def placed(poison: Poison, error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        places.update({(topic, partition, offset, n): why for n, why in enumerate(poison.reasons)})

    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 2})
    for number, poison in enumerate(poisons):
        producer.produce(
            SOURCES[poison.kind].name,
            poison.value,
            key=b"k",
            partition=number % partitions,
            headers={"content-type": poison.content_type},
            on_delivery=partial(placed, poison),
        )
    assert producer.flush(60) == 0
    assert len(places) == sum(len(poison.reasons) for poison in poisons)
    return places


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
