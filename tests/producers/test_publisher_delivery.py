"""What lies on the broker after publishing."""

from collections import defaultdict
from datetime import UTC, datetime

import msgspec
import pytest
from confluent_kafka import murmur2

from drift_aware.producers import Publisher
from drift_aware.schema import topics
from drift_aware.schema.envelope import COLUMNS, MAX_BYTES, MAX_EVENTS, ROWS
from drift_aware.schema.events import Embedding, Evaluation, Interaction, Kind
from rig.brokers import Broker
from rig.records import records

INTERACTION: Kind = "interaction"
EMBEDDING: Kind = "embedding"
FEEDBACK: Kind = "feedback"


def test_many_events_come_in_few_records_each_once(broker: Broker) -> None:
    with Publisher(broker.bootstrap, linger_ms=200) as publisher:
        ids = {publisher.interaction(user_query="where is my order?") for _ in range(2000)}
        assert publisher.flush(20) == 0
        stats = publisher.stats
    assert (stats.delivered, stats.dropped) == (2000, {})
    found = records(broker.bootstrap, topics.INTERACTIONS.name)
    events = [event for record in found for event in record.events("interaction")]
    assert len(events) == 2000
    assert {event.id for event in events if isinstance(event, Interaction)} == ids
    assert len(found) <= 2000 / MAX_EVENTS + 3 * broker.partitions


def test_a_record_holds_no_more_than_its_share(broker: Broker) -> None:
    with Publisher(broker.bootstrap, linger_ms=200) as publisher:
        for _ in range(200):
            publisher.interaction(user_query="x" * 5000)
        for number in range(300):
            publisher.embedding([0.25] * 256, id=str(number))
        assert publisher.flush(20) == 0
    for kind in (INTERACTION, EMBEDDING):
        for record in records(broker.bootstrap, topics.SOURCES[kind].name):
            assert len(record.value) <= MAX_BYTES + 1000
            assert 1 <= len(record.events(kind)) <= MAX_EVENTS


def test_a_session_lies_on_one_partition_the_one_that_java_would_take(broker: Broker) -> None:
    with Publisher(broker.bootstrap, linger_ms=5) as publisher:
        for number in range(600):
            session_id = f"session-{number % 20}"
            asked = publisher.interaction(session_id=session_id)
            publisher.embedding([1.0, 0.0], interaction_id=asked, session_id=session_id)
            publisher.feedback(asked, thumbs="up", session_id=session_id)
        assert publisher.flush(20) == 0
    for kind in (INTERACTION, EMBEDDING, FEEDBACK):
        partitions: dict[str, set[int]] = defaultdict(set)
        for record in records(broker.bootstrap, topics.SOURCES[kind].name):
            for event in record.events(kind):
                assert not isinstance(event, Evaluation)
                partitions[event.session_id or ""].add(record.partition)
        assert partitions == {
            session: {murmur2(session.encode(), broker.partitions)} for session in partitions
        }
        assert len(partitions) == 20


def test_embeddings_travel_as_columns_one_shape_a_record(broker: Broker) -> None:
    with Publisher(broker.bootstrap, linger_ms=200) as publisher:
        for number in range(40):
            publisher.embedding([float(number)] * (2 + number % 2), session_id="one", id=str(number))
        assert publisher.flush(20) == 0
    seen: dict[str, int | None] = {}
    for record in records(broker.bootstrap, topics.EMBEDDINGS.name):
        assert record.content_type == COLUMNS
        dims = {event.id: event.dim for event in record.events("embedding") if isinstance(event, Embedding)}
        assert len(set(dims.values())) == 1
        seen |= dims
    assert seen == {str(number): 2 + number % 2 for number in range(40)}


def test_records_carry_cloudevents_headers_and_values_anyone_can_read(broker: Broker) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    with Publisher(broker.bootstrap, app="my shop") as publisher:
        publisher.interaction(id="1")
        publisher.evaluation(eval_set="golden", run_id="r", correct=True)
        assert publisher.flush(20) == 0
    (record,) = records(broker.bootstrap, topics.INTERACTIONS.name)
    headers = {name: value.decode() for name, value in record.headers.items()}
    assert headers.pop("ce_id")
    assert before <= datetime.fromisoformat(headers.pop("ce_time")) <= datetime.now(UTC)
    assert headers == {
        "content-type": ROWS,
        "ce_specversion": "1.0",
        "ce_type": "drift.interaction.batch",
        "ce_source": "/drift-aware/publisher/my%20shop",
    }
    (row,) = msgspec.json.decode(record.value)
    assert (row["id"], row["app"]) == ("1", "my shop")


@pytest.mark.parametrize("size", [200_000, 890_000])
def test_a_big_event_travels_alone(embedded_broker: Broker, size: int) -> None:
    with Publisher(embedded_broker.bootstrap, max_text_chars=1_000_000, linger_ms=200) as publisher:
        for text in ("small", "x" * size, "small"):
            publisher.interaction(user_query=text, session_id="one")
        assert publisher.flush(20) == 0
    found = records(embedded_broker.bootstrap, topics.INTERACTIONS.name)
    assert [len(record.events("interaction")) for record in found] == [1, 1, 1]


def test_an_event_beyond_what_a_record_may_hold_is_dropped(embedded_broker: Broker) -> None:
    with Publisher(embedded_broker.bootstrap, max_text_chars=2_000_000) as publisher:
        publisher.interaction(user_query="x" * 900_001)
        publisher.interaction(labels={"page": "x" * 2_000_000})
        publisher.interaction(user_query="fits")
        assert publisher.flush(20) == 0
        assert publisher.stats.delivered == 1
        assert publisher.dropped == {"too_large": 2}
