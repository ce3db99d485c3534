"""Every topic, what is in it and who reads and writes it, as an AsyncAPI 3.0 document.

The specification is https://www.asyncapi.com/docs/reference/specification/v3.0.0, its Kafka bindings are
https://github.com/asyncapi/bindings/tree/master/kafka, version 0.5.0. ``make schemas`` writes the document;
it is made of ``topics.TOPICS`` and of the types on the wire, so that it says nothing they do not.
"""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from drift_aware.schema import topics
from drift_aware.schema.envelope import COLUMNS, MAX_READ_EVENTS, ROWS, Columns
from drift_aware.schema.json_schemas import WIRE_TYPES
from drift_aware.schema.topics import SOURCES, TOPICS, Topic
from drift_aware.schema.wire_examples import EXAMPLES

Node = dict[str, Any]

# The topics whose records are one JSON object each, and its type by the name it has in WIRE_TYPES.
OBJECTS: Mapping[Topic, str] = {
    topics.BASELINES: "baseline",
    topics.READINGS: "readings",
    topics.HISTORY: "day_sums",
    topics.ALERTS: "alert",
    topics.ACTIONS: "action",
    topics.POLICIES: "policy",
    topics.CANARIES: "canary",
}
_KINDS = {topic: kind for kind, topic in SOURCES.items()}
_ALL_SOURCES = tuple(SOURCES.values())
_TABLES = (topics.changelog(topics.PANES_TABLE), topics.changelog(topics.MONITORS_TABLE))
_FOUND = (topics.BASELINES, topics.READINGS, topics.HISTORY, topics.ALERTS)
_LETTERS = tuple(topics.dead_letters(topic) for topic in (*_ALL_SOURCES, topics.SUMMARIES))

# Role to its consumer group, if it has one, what it receives and what it sends.
ROLES: Mapping[str, tuple[str | None, tuple[Topic, ...], tuple[Topic, ...]]] = {
    "worker": (
        topics.WORKER_APP,
        (*_ALL_SOURCES, topics.SUMMARIES, topics.BASELINES, *_TABLES),
        (topics.SUMMARIES, *_FOUND, *_LETTERS, *_TABLES),
    ),
    "baseline": (
        "drift-aware-baseliner",
        (*_ALL_SOURCES, topics.BASELINES),
        (topics.SUMMARIES, topics.BASELINES),
    ),
    "persist": (
        "drift-aware-persist",
        (*_ALL_SOURCES, *_FOUND),
        (),
    ),
    "act": (
        "drift-aware-act",
        (topics.ALERTS, topics.EVALUATIONS),
        (topics.ACTIONS, topics.POLICIES, topics.EVALUATIONS),
    ),
    # The topics of the Collector are its own.
    "otlp": (
        "drift-aware-otlp",
        _ALL_SOURCES,
        _ALL_SOURCES,
    ),
    "embed": (
        "drift-aware-embed",
        (topics.INTERACTIONS, topics.EMBEDDINGS),
        (topics.EMBEDDINGS,),
    ),
    "canary": (
        "drift-aware-canary",
        (topics.CANARIES,),
        (topics.EMBEDDINGS, topics.EVALUATIONS, topics.CANARIES, topics.ALERTS),
    ),
    "dlq": (
        None,
        (*_LETTERS, topics.REPLAYS, *_ALL_SOURCES),
        (*_ALL_SOURCES, topics.REPLAYS),
    ),
}
_TIMES = "Times are milliseconds since 1970-01-01 UTC; unknown fields are ignored."
_CLOUD_EVENTS: dict[str, str] = {
    "ce_specversion": "Version of CloudEvents, 1.0; the Publisher sends this and the other ce_ headers.",
    "ce_id": "Of the record, not of an event in it.",
    "ce_type": "As in drift.interaction.batch.",
    "ce_source": "Who publishes.",
    "ce_time": "When the record was sent, RFC 3339.",
    "drift-relayed": "Of a record that was made of another one: which, as name/topic/partition/offset, and "
    "which of how many that were made of it.",
    "drift.replayed.letter": "Of a record sent by `drift-aware dlq replay`: the dead letter it was.",
}
_ERRORS: Mapping[str, str] = {
    "content-type": "The form of the value.",
    "drift.errors.topic": "Where it was read.",
    "drift.errors.partition": "Where it was read, a decimal number like the two below.",
    "drift.errors.offset": "Where it was read.",
    "drift.errors.index": "Which of the record's dead letters it is, from 0.",
    "drift.errors.reason": "A fixed word, as in wrong_type.",
    "drift.errors.message": "What to do about it.",
}


def document() -> Node:
    """The whole document, the same for the same types and topics."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Drift-Aware",
            "version": "1.0.0",
            "description": "The Kafka topics of Drift-Aware. Types only grow; what cannot be said that way "
            "is a new version with a topic of its own.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": ROWS,
        "servers": {"kafka": {"host": "localhost:9092", "protocol": "kafka", "description": "Your Kafka."}},
        "channels": {channel_name(topic): _channel(topic) for topic in TOPICS},
        "operations": dict(_operations()),
        "components": {"schemas": schemas()},
    }


def channel_name(topic: Topic) -> str:
    """The topic's name without what they all share: ``interactions``, ``interactions-dlq``.

    >>> channel_name(topics.ALERTS), channel_name(topics.dead_letters(topics.FEEDBACK))
    ('alerts', 'feedback-dlq')
    """
    name = topic.name.removeprefix("drift.").removeprefix(f"{topics.WORKER_APP}-")
    return name.replace(".v1", "").replace(".", "-")


def schemas() -> Node:
    """Every type on the wire by its name, in the JSON Schema draft that AsyncAPI reads."""
    wire = [*WIRE_TYPES.values(), Columns]
    _, components = msgspec.json.schema_components(wire, ref_template="#/components/schemas/{name}")
    return {name: _draft_07(schema) for name, schema in sorted(components.items())}


def _draft_07(schema: Any) -> Any:
    """The same in draft 07, where a tuple's members are said by ``items``."""
    if isinstance(schema, list):
        return [_draft_07(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    node = {name: _draft_07(value) for name, value in schema.items()}
    if "prefixItems" in node:
        rest = node.pop("items", True)
        node |= {"items": node.pop("prefixItems"), "additionalItems": rest}
    if isinstance(node.get("description"), str):
        node["description"] = inspect.cleandoc(node["description"])
    return node


def _channel(topic: Topic) -> Node:
    config: Node = {
        "cleanup.policy": [topic.cleanup],
        "max.message.bytes": topic.max_message_bytes,
    }
    if topic.cleanup == "delete":
        config["retention.ms"] = topic.retention_ms
    return {
        "address": topic.name,
        "messages": {message["name"]: message for message in _messages(topic)},
        "bindings": {
            "kafka": {"topic": topic.name, "topicConfiguration": config, "bindingVersion": "0.5.0"},
        },
    }


def _messages(topic: Topic) -> list[Node]:
    if topic in _KINDS:
        return [_rows(topic, _KINDS[topic]), _columns(topic)]
    if topic in OBJECTS:
        return [_object(topic, OBJECTS[topic])]
    if topic in _LETTERS:
        return [_letter(topic)]
    return [_internal(topic)]


def _rows(topic: Topic, kind: str) -> Node:
    """A JSON object or an array of them; anybody can write it."""
    one = {"$ref": f"#/components/schemas/{WIRE_TYPES[kind].__name__}"}
    example = msgspec.to_builtins(EXAMPLES[kind])
    return _message(
        topic,
        "rows",
        f"One event, or an array of them, as JSON. {_TIMES}",
        payload={"anyOf": [one, {"type": "array", "items": one}]},
        headers=_headers({"content-type": f"Absent, or {ROWS}."} | _CLOUD_EVENTS),
        examples=[{"name": "one", "payload": example}, {"name": "two", "payload": [example, example]}],
    )


def _columns(topic: Topic) -> Node:
    return _message(
        topic,
        "columns",
        f"Up to {MAX_READ_EVENTS} events, one list for each field, as msgpack; what the Publisher sends. "
        "The payload is shown as JSON; `matrix` is binary.",
        contentType=COLUMNS,
        payload={"$ref": "#/components/schemas/Columns"},
        headers=_headers({"content-type": COLUMNS} | _CLOUD_EVENTS, required=["content-type"]),
    )


def _object(topic: Topic, name: str) -> Node:
    return _message(
        topic,
        name,
        f"One JSON object. {_TIMES}",
        payload={"$ref": f"#/components/schemas/{WIRE_TYPES[name].__name__}"},
        headers=_headers({"content-type": f"Absent, or {ROWS}."}),
        examples=[{"name": name, "payload": msgspec.to_builtins(EXAMPLES[name])}],
    )


def _letter(topic: Topic) -> Node:
    return _message(
        topic,
        "letter",
        "An event that cannot be used, as the bytes it came with; of a record of many, its own alone.",
        contentType="application/octet-stream",
        headers=_headers(_ERRORS, required=list(_ERRORS)),
    )


def _internal(topic: Topic) -> Node:
    return _message(
        topic,
        "internal",
        "What the parts tell each other; its form changes without notice.",
        contentType="application/octet-stream",
    )


def _message(topic: Topic, name: str, summary: str, **more: Any) -> Node:
    key = {"type": "string", "description": topic.key}
    return {
        "name": name,
        "summary": summary,
        "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}},
        **more,
    }


def _headers(meanings: Mapping[str, str], required: Iterable[str] = ()) -> Node:
    properties = {name: {"type": "string", "description": text} for name, text in meanings.items()}
    return {"type": "object", "properties": properties, "required": list(required)}


def _operations() -> Iterable[tuple[str, Node]]:
    for role, (group, receives, sends) in ROLES.items():
        for action, which in (("receive", receives), ("send", sends)):
            for topic in which:
                channel = channel_name(topic)
                node: Node = {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}
                if action == "receive" and group:
                    node["bindings"] = {"kafka": _group(group)}
                yield f"{role}-{action}-{channel}", node


def _group(name: str) -> Node:
    return {"groupId": {"type": "string", "const": name}, "bindingVersion": "0.5.0"}
