"""The AsyncAPI document is valid, complete, and its examples are what it says."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from confluent_kafka import Producer

from drift_aware.producers import Publisher
from drift_aware.schema import asyncapi, envelope
from drift_aware.schema.events import KINDS, Event
from drift_aware.schema.json_schemas import WIRE_TYPES, generate
from drift_aware.schema.topics import INTERACTIONS, SOURCES, TOPICS, dead_letters
from drift_aware.schema.wire_examples import EXAMPLES
from drift_aware.streams.reader import read_each
from drift_aware.streams.stage import Input
from rig.brokers import Broker
from rig.commands import Command
from rig.configuration import make_settings
from rig.rights import needed
from rig.services import wait_until

# As it is in the file, where tuples are lists.
DOCUMENT = json.loads(json.dumps(asyncapi.document()))
SPECIFICATION = json.loads((Path(__file__).parents[1] / "specifications" / "asyncapi-3.0.0.json").read_text())


def _messages() -> Iterator[Any]:
    for name, channel in DOCUMENT["channels"].items():
        for message in channel["messages"].values():
            yield pytest.param(message, id=f"{name}-{message['name']}")


MESSAGES = list(_messages())


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with what its references point to."""
    return schema | {"components": DOCUMENT["components"]}


def test_it_is_valid_by_the_specification() -> None:
    jsonschema.validators.validator_for(SPECIFICATION)(SPECIFICATION).validate(DOCUMENT)


@pytest.mark.parametrize("broken", ["cleanup.policy", "max.message.bytes", "retention.ms"])
def test_the_specification_checks_the_kafka_bindings_too(broken: str) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    document["channels"]["alerts"]["bindings"]["kafka"]["topicConfiguration"][broken] = "much"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validators.validator_for(SPECIFICATION)(SPECIFICATION).validate(document)


def test_every_topic_is_a_channel_with_the_settings_that_it_is_made_with() -> None:
    channels = {channel["address"]: channel["bindings"]["kafka"] for channel in DOCUMENT["channels"].values()}
    assert list(channels) == [topic.name for topic in TOPICS]
    for topic in TOPICS:
        described = channels[topic.name]["topicConfiguration"]
        assert described["cleanup.policy"] == [topic.cleanup]
        assert {
            name: str(value) for name, value in described.items() if name != "cleanup.policy"
        }.items() <= (topic.config().items())


@pytest.mark.parametrize("message", MESSAGES)
def test_every_schema_of_a_message_is_a_schema_of_the_draft_that_asyncapi_reads(message: Any) -> None:
    for schema in (message.get("payload"), message.get("headers"), message["bindings"]["kafka"]["key"]):
        if schema is not None:
            jsonschema.Draft7Validator.check_schema(_resolved(schema))


@pytest.mark.parametrize("message", MESSAGES)
def test_every_example_is_valid_by_the_schema_of_its_message(message: Any) -> None:
    for example in message.get("examples", ()):
        jsonschema.Draft7Validator(_resolved(message["payload"])).validate(example["payload"])


def test_every_type_on_the_wire_has_an_example_that_fills_what_is_needed() -> None:
    shown = {
        example["name"]
        for channel in DOCUMENT["channels"].values()
        for message in channel["messages"].values()
        for example in message.get("examples", ())
    }
    assert EXAMPLES.keys() == WIRE_TYPES.keys()
    assert shown == set(asyncapi.OBJECTS.values()) | {"one", "two"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_valid_by_the_published_schema_and_by_the_one_in_the_document(name: str) -> None:
    payload = json.loads(msgspec.json.encode(EXAMPLES[name]))
    jsonschema.validate(payload, generate()[f"{name}.v1.json"])
    reference = {"$ref": f"#/components/schemas/{WIRE_TYPES[name].__name__}"}
    jsonschema.Draft7Validator(_resolved(reference)).validate(payload)


def test_what_is_wrong_by_the_published_schema_is_wrong_by_the_document_too() -> None:
    payload = msgspec.to_builtins(EXAMPLES["readings"])
    payload["tallies"]["refusal_rate"] = [38, "many", True]
    reference = _resolved({"$ref": "#/components/schemas/Readings"})
    assert not jsonschema.Draft7Validator(reference).is_valid(payload)


@pytest.mark.parametrize("kind", SOURCES)
def test_what_the_publisher_packs_is_the_columns_message(kind: Any) -> None:
    event: Any = EXAMPLES[kind]
    assert isinstance(event, Event)
    if kind == "embedding":
        event = msgspec.structs.replace(event, vector=b"\0\0\x80\x3f", dim=1)
    packed = msgspec.msgpack.decode(envelope.encode_columns([event, event]))
    shown = msgspec.to_builtins(packed)
    message = DOCUMENT["channels"][asyncapi.channel_name(SOURCES[kind])]["messages"]["columns"]
    jsonschema.Draft7Validator(_resolved(message["payload"])).validate(shown)
    assert shown["kind"] == KINDS[type(event)]


def test_every_role_may_what_it_does_by_the_rights_that_the_page_about_kafka_grants() -> None:
    for role, (group, receives, sends) in asyncapi.ROLES.items():
        granted = needed(role)
        # What others write, an OpenTelemetry Collector for instance, has no channel of ours.
        assert {topic.name for topic in receives} == granted["Read"] & {topic.name for topic in TOPICS}, role
        assert {topic.name for topic in sends} == granted["Write"], role
        assert {group} - {None} == granted["Read, groups"], role


def test_the_headers_of_what_the_publisher_sends_are_those_of_the_message(embedded_broker: Broker) -> None:
    with Publisher(embedded_broker.bootstrap, app="shop") as publisher:
        publisher.interaction(user_query="Where is my parcel?")
        assert publisher.flush() == 0
    settings = make_settings(embedded_broker.bootstrap)
    [record] = read_each(settings, INTERACTIONS.name)
    assert_headers("interactions", "columns", record)


def test_the_headers_of_a_dead_letter_are_those_of_the_message(
    embedded_broker: Broker, start_command: Callable[..., Command]
) -> None:
    bootstrap = embedded_broker.bootstrap
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(INTERACTIONS.name, b"{")
    assert producer.flush(10) == 0
    start_command("worker", bootstrap=bootstrap)
    letters = dead_letters(INTERACTIONS).name
    [record] = wait_until(lambda: list(read_each(make_settings(bootstrap), letters)), 60)
    assert_headers("interactions-dlq", "letter", record)


def assert_headers(channel: str, message: str, record: Input) -> None:
    """All the headers are described, and as they should be."""
    schema = DOCUMENT["channels"][channel]["messages"][message]["headers"]
    headers = {name: value.decode() for name, value in record.headers}
    assert headers.keys() <= schema["properties"].keys()
    jsonschema.Draft7Validator(schema).validate(headers)
