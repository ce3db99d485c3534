"""``reference/topics.md``: every topic and every type in it, from the topics and types themselves."""

import inspect
import json

import msgspec

from drift_aware.schema import asyncapi
from drift_aware.schema.json_schemas import WIRE_TYPES
from drift_aware.schema.topics import POLICIES, SOURCES, TOPICS, Topic
from drift_aware.schema.wire_examples import EXAMPLES
from writers.attributes import introduction, meanings, plain
from writers.schemas import described, literal, table

_DAY_MS = 24 * 3_600_000
_HEAD = """# Topics

Made from the topics and types themselves by `make schemas`. The same for machines: the AsyncAPI document
[asyncapi.json](../../schema/drift_aware/schema/asyncapi.json), and a JSON Schema of each type in
[schema/json](../../schema/drift_aware/schema/json). `drift-aware topics list --json` says what your broker
has.

A source topic takes events in two forms: JSON, one object or an array of them, and the columns that the
`Publisher` sends. Types only grow: what cannot be said by a new optional field is a new version with a topic
of its own. Times are milliseconds since 1970 UTC; of what you publish an RFC 3339 text with an offset, or
seconds, are accepted too.

"""


def page() -> str:
    """The page."""
    heads = ["topic", "key", "kept", "largest record", "holds", "written by", "read by"]
    rows = [_topic(topic) for topic in TOPICS]
    return _HEAD + table(heads, rows) + "".join(f"\n{_type(name)}" for name in WIRE_TYPES)


def _topic(topic: Topic) -> list[str]:
    kept = "compacted" if topic.cleanup == "compact" else f"{topic.retention_ms // _DAY_MS} days"
    return [
        f"`{topic.name}`",
        topic.key,
        kept,
        f"{topic.max_message_bytes:,} bytes",
        _holds(topic),
        _roles(topic, sends=True),
        _roles(topic, sends=False),
    ]


def _holds(topic: Topic) -> str:
    names = {source: kind for kind, source in SOURCES.items()} | dict(asyncapi.OBJECTS)
    if topic in names:
        name = names[topic]
        return f"[{name}](#{name})"
    return "dead letters" if topic.name.endswith(".dlq") else "internal"


def _roles(topic: Topic, *, sends: bool) -> str:
    yours = topic in (SOURCES.values() if sends else (POLICIES,))
    roles = [role for role, (_, read, sent) in asyncapi.ROLES.items() if topic in (sent if sends else read)]
    return ", ".join([*(["your application"] if yours else []), *roles])


def _type(name: str) -> str:
    kind = WIRE_TYPES[name]
    [_], components = msgspec.json.schema_components([kind], ref_template="{name}")
    schemas = {each: struct for struct in _structs(kind) if (each := struct.__name__) in components}
    tables = [_fields(components[each], struct) for each, struct in schemas.items()]
    example = json.dumps(msgspec.to_builtins(EXAMPLES[name]), indent=2, ensure_ascii=False)
    return f"## {name}\n\n" + "\n".join(tables) + f"\n```json\n{example}\n```\n"


def _structs(kind: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    """A type and those in its fields, each once, in the order of their first mention."""
    found = [kind]
    for field in msgspec.structs.fields(kind):
        for inner in _inside(field.type):
            found += [each for each in _structs(inner) if each not in found]
    return found


def _inside(annotation: object) -> list[type[msgspec.Struct]]:
    if inspect.isclass(annotation) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    return [kind for argument in getattr(annotation, "__args__", ()) for kind in _inside(argument)]


def _fields(schema: dict[str, object], kind: type[msgspec.Struct]) -> str:
    head = f"**{kind.__name__}.** {introduction(kind)}\n"
    said = meanings(kind)
    rows = []
    for field in msgspec.structs.fields(kind):
        properties = schema.get("properties")
        value = properties[field.encode_name] if isinstance(properties, dict) else {}
        default = "required" if field.required else literal(value.get("default"))
        rows.append([f"`{field.name}`", described(value), default, plain(said.get(field.name, ""))])
    return head + "\n" + table(["field", "value", "default", "meaning"], rows)
